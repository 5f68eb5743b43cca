"""The catalogue knows every endpoint, takes what fal takes and refuses the rest with the cure."""

import json
import os
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories.catalogue import (
    CATALOGUE,
    CHECKED,
    KLING,
    PUBLISHED,
    Arguments,
    arguments,
    as_sent,
    kling,
    refused,
    spoilt,
)
from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import InvalidArguments
from worker.catalogue.examples import rows
from worker.catalogue.inputs import InputType

FEW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
IMAGE = "https://example.com/cat.png"
TEXT = {"prompt": "a cat"}
every_model = pytest.mark.parametrize("model", CHECKED, ids=lambda model: model.endpoint)


@every_model
def test_valid_arguments_pass_unchanged_but_for_durations(model: Endpoint) -> None:
    """Whatever a model declares to take is taken, nothing is added, and JSON can carry it."""

    @FEW
    @given(arguments(model))
    def holds(given: Arguments) -> None:
        checked = model.check(given)
        assert as_sent(model.inputs, given) == checked
        assert list(given) == list(checked)
        assert checked == json.loads(json.dumps(checked, allow_nan=False).encode())

    holds()


@every_model
def test_one_thing_wrong_is_refused_by_its_path(model: Endpoint) -> None:
    """A missing, unknown, mistyped or out-of-range input is named where it stands."""

    @FEW
    @given(spoilt(model))
    def holds(drawn: tuple[Arguments, str]) -> None:
        given, path = drawn
        assert path in refused(model, given)

    holds()


@every_model
def test_example_is_valid(model: Endpoint) -> None:
    """The example of every endpoint passes its own check."""
    assert model.example() == model.check(model.example())


ENDINGS = {"jpeg": "image", "webp": "image", "mp4": "video", "mp3": "audio", "wav": "audio"}


@every_model
def test_an_example_can_be_rendered(model: Endpoint) -> None:
    """Its files are fal's own and of the family that the input takes; references are given."""
    inputs = {item.name: item for item in model.inputs}
    given = model.example()
    for name, value in given.items():
        addresses = value if isinstance(value, list) else [value]
        for address in map(str, addresses if inputs[name].kind is InputType.URL else []):
            host = urlsplit(address).hostname or ""
            assert host == "storage.googleapis.com" or host.endswith("fal.media"), name
            assert ENDINGS[address.rpartition(".")[2]] in inputs[name].families, name
    if model.endpoint.endswith("reference-to-video"):
        assert given["image_urls"]
        assert "@Image1" in str(given["prompt"])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted({item.name for model in CHECKED for item in model.inputs})


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(CHECKED),
    st.dictionaries(st.sampled_from(NAMES) | st.text(st.characters()), ANYTHING, max_size=6),
)
def test_anything_ends_in_json_or_in_a_printable_refusal(model: Endpoint, given: Any) -> None:
    """No input makes JSON encoding fail later, and none makes the refusal unprintable."""
    told = ""
    try:
        checked = model.check(given)
        json.dumps(checked, allow_nan=False, ensure_ascii=False).encode()
    except InvalidArguments as invalid:
        told = str(invalid).replace("\n", " ")
    assert told.isprintable()


@pytest.mark.parametrize("example", PUBLISHED, ids=lambda example: example["name"])
def test_published_examples(example: Any) -> None:
    """fal's own examples pass; what its prose gets wrong is refused by name, with the reason."""
    model = CATALOGUE.find(example["endpoint"])
    if "refused" in example:
        assert example["refused"] == list(refused(model, example["arguments"])), example["why"]
    else:
        assert example["arguments"] == model.check(example["arguments"])


REQUEST_TYPES = {
    "ImageToVideoV21MasterRequest": ["v2.1/master/image-to-video"],
    "TextToVideoV21MasterRequest": ["v2.1/master/text-to-video"],
    "ImageToVideoV21ProRequest": ["v2.1/pro/image-to-video"],
    "ImageToVideoV21StandardRequest": ["v2.1/standard/image-to-video"],
    "ImageToVideoV2MasterRequest": ["v2/master/image-to-video"],
    "TextToVideoV2MasterRequest": ["v2/master/text-to-video"],
    "V1TextToVideoRequest": ["v1/standard/text-to-video"],
    "V1ImageToVideoRequest": ["v1/standard/image-to-video"],
    "TextToVideoRequest": [
        "v1.5/pro/text-to-video",
        "v1.6/pro/text-to-video",
        "v1.6/standard/text-to-video",
    ],
    "ImageToVideoRequest": ["v1.6/standard/image-to-video"],
    "ProImageToVideoRequest": ["v1.5/pro/image-to-video", "v1.6/pro/image-to-video"],
    "LipsyncA2VRequest": ["lipsync/audio-to-video"],
    "LipsyncT2VRequest": ["lipsync/text-to-video"],
    "VideoEffectsRequest": [
        "v1.5/pro/effects",
        "v1.6/pro/effects",
        "v1.6/standard/effects",
        "v1/standard/effects",
    ],
    "MultiImageToVideoRequest": ["v1.6/pro/elements", "v1.6/standard/elements"],
}


@pytest.mark.parametrize("request_type", REQUEST_TYPES)
def test_every_request_type_of_the_api_page_has_its_endpoints(request_type: str) -> None:
    """Each request type of Kling 2.1 master's API page leads to the endpoints that take it."""
    served = [model for model in CHECKED if model.request_type == request_type]
    wanted = [f"{KLING}/{path}" for path in REQUEST_TYPES[request_type]]
    assert wanted == [model.endpoint for model in served]
    assert all(model.example() for model in served)


def test_the_whole_catalogue_is_there() -> None:
    """75 endpoints can be checked; 2 are withdrawn and 5 announced."""
    by_status = [model.status for model in CATALOGUE.search()]
    assert [75, 0, 2, 5] == [by_status.count(status) for status in Status]


@pytest.mark.parametrize("given", [5, 5.0, "5"])
def test_a_numeric_duration_becomes_the_string_fal_wants(given: object) -> None:
    """A duration of 5 is sent as "5"; nested ones too."""
    model = kling("v3/pro/text-to-video")
    shots = [{"prompt": "a cat", "duration": given}]
    expected = {"multi_prompt": [{"prompt": "a cat", "duration": "5"}], "duration": "5"}
    assert expected == model.check({"multi_prompt": shots, "duration": given})


@pytest.mark.parametrize(
    ("path", "name", "hint"),
    [
        ("v2.6/pro/image-to-video", "tail_image_url", "it is called end_image_url here"),
        ("v2.6/pro/image-to-video", "image_url", "it is called start_image_url here"),
        ("v2.1/pro/image-to-video", "end_image_url", "it is called tail_image_url here"),
        ("o3/pro/image-to-video", "start_image_url", "it is called image_url here"),
        ("v2.1/pro/image-to-video", "promt", "did you mean prompt?"),
        ("create-voice", "zzz", "it takes voice_url"),
    ],
)
def test_a_foreign_name_is_met_with_ours(path: str, name: str, hint: str) -> None:
    """A name of another version, or a misspelt one, is answered with the valid one."""
    problems = refused(kling(path), {name: IMAGE})
    assert hint == problems[name].hint


@pytest.mark.parametrize(
    ("path", "given", "where", "taker"),
    [
        ("v2.1/standard/image-to-video", "tail_image_url", "", "v2.1/pro/image-to-video"),
        ("v2.5-turbo/standard/image-to-video", "end_image_url", "", "o1/standard/image-to-video"),
        ("v3/turbo/pro/text-to-video", "negative_prompt", "", "v3/pro/text-to-video"),
        ("o3/pro/video-to-video/edit", "generate_audio", "", "o3/pro/image-to-video"),
        ("create-voice", "audio_url", "", "lipsync/audio-to-video"),
        ("v3/pro/motion-control", "video_url", "elements[0].", "v3/pro/image-to-video"),
    ],
)
def test_a_name_that_another_endpoint_has_is_no_misspelling(
    path: str, given: str, where: str, taker: str
) -> None:
    """An endpoint that takes it is named, and no other name is guessed."""
    arguments = {"elements": [{given: IMAGE}]} if where else {given: IMAGE}
    problem = refused(kling(path), arguments)[where + given]
    assert "is not an input of this endpoint" == problem.message
    assert f"{KLING}/{taker} takes it" == problem.hint


def test_null_gives_nothing() -> None:
    """A shot list of null beside a prompt is one mistake, not two that contradict each other."""
    problems = refused(kling("v3/pro/text-to-video"), {"multi_prompt": None, "prompt": "a cat"})
    message = "must be a list of at least 1 item"
    assert {"multi_prompt": message} == {path: one.message for path, one in problems.items()}
    assert "leave it out for the default" == problems["multi_prompt"].hint


@pytest.mark.parametrize("name", ["webhook_url", "webhookUrl", "fal_webhook"])
def test_a_callback_address_among_the_inputs_is_refused(name: str) -> None:
    """fal would ignore it in silence; the refusal says who makes the address."""
    model = kling("v2/master/text-to-video")
    problems = refused(model, {"prompt": "a cat", name: "https://example.com/hook"})
    assert [name] == list(problems)
    assert "falhook mints the callback address" in problems[name].hint


def test_all_problems_are_told_at_once_for_people() -> None:
    """Path, value, what is allowed and the nearest valid name, a line for each problem."""
    given = {
        "prompt": "a cat",
        "start_image_url": "./cat.jpg",
        "duration": 7,
        "negative_promt": "blur",
        "voice_ids": ["a", "b", "c"],
    }
    endpoint = f"{KLING}/v2.6/pro/image-to-video"
    with pytest.raises(InvalidArguments) as caught:
        CATALOGUE.find(endpoint).check(given)
    expected = f"""{endpoint} cannot take these inputs:
  start_image_url "./cat.jpg": must be an http(s) URL, a local file or a data URI; \
a message names a file of the worker's as file:PATH
  duration "7": must be one of "5", "10"
  negative_promt (4 characters): is not an input of this endpoint; did you mean negative_prompt?
  voice_ids (a list of 3): must be a list of at most 2 items"""
    assert expected == str(caught.value)


def test_the_nearest_choice_is_offered() -> None:
    """One of nearly two hundred effects, misspelt, is answered with the right one."""
    problem = refused(kling("v1.6/pro/effects"), {"effect_scene": "Squishh"})["effect_scene"]
    assert 'did you mean "squish"?' == problem.hint
    assert problem.message.endswith(" and 182 more, which `falhook models show … --json` tells")


def test_numbers_are_no_misspellings() -> None:
    """Another ratio is told what there is; a word in another case is met with the right one."""
    given = {"prompt": "a", "aspect_ratio": "16:10"}
    assert "" == refused(kling("v3/pro/text-to-video"), given)["aspect_ratio"].hint
    still = refused(CATALOGUE.find("fal-ai/kling-image/o1"), {"resolution": "2k"})["resolution"]
    assert 'did you mean "2K"?' == still.hint


@pytest.mark.parametrize(
    "given",
    [
        {"prompt": "moonlit heist at the harbour\x00", "image_url": IMAGE},
        {"promt": "moonlit heist at the harbour", "image_url": IMAGE},
        {"prompt": "a", "image_url": "moonlit heist at the harbour"},
        {"prompt": "a", "image_url": "https://moon:heist@example.com/a b?token=harbour"},
        {"prompt": {"text": "moonlit heist at the harbour"}, "image_url": IMAGE},
    ],
)
def test_no_prompt_and_no_credential_is_told(given: Arguments) -> None:
    """Neither a prompt, even under a wrong name, nor a URL's secrets reach the refusal."""
    with pytest.raises(InvalidArguments) as caught:
        kling("v2.1/pro/image-to-video").check(given)
    assert "heist" not in str(caught.value)
    assert "harbour" not in str(caught.value)


def of_image(address: str) -> str:
    """What is said of that image."""
    return str(
        refused(kling("v2/master/image-to-video"), TEXT | {"image_url": address})["image_url"]
    )


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:8000", "nas.local", "api.localhost", "metadata.google.internal"),
        *("x", "127.0.0.1", "2130706433", "0x7f.1", "192.168.0.1", "10.1.2.3", "172.16.0.1"),
        *("169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "[::1]", "[fe80::1]"),
        *("[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "user:pass@localhost."),
    ],
)
def test_an_address_that_fal_cannot_reach_is_refused(host: str) -> None:
    """Only what lies on the internet can be fetched by fal; the cure is said."""
    told = of_image(f"https://{host}/cat.png")
    assert "must be a URL that fal can reach, on the internet; give the file itself" in told


@pytest.mark.parametrize(
    "address",
    [
        *("https:///cat.png", "https://a..b/cat.png", "http://.", "https://"),
        *("https://-a.b/cat.png", "https://*.example/cat.png", "https://.example.com/cat.png"),
    ],
)
def test_an_address_without_a_valid_host_is_refused(address: str) -> None:
    """Empty labels, no host and what no host can be called."""
    told = of_image(address)
    assert told.endswith("must be a URL with a valid host")


@pytest.mark.parametrize(
    "host",
    [
        *("example.com", "EXAMPLE.com.", "b\u00fccher.example", "xn--bcher-kva.example:8443"),
        *("8.8.8.8", "[2606:4700::1111]", "a_b.example", "me:word@cdn.example.co.uk"),
    ],
)
def test_an_address_on_the_internet_is_taken(host: str) -> None:
    """Names with a dot and public addresses, with port, credentials or a final dot."""
    given = TEXT | {"image_url": f"https://{host}/cat.png?size=1"}
    assert given == kling("v2/master/image-to-video").check(given)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", 'image_url "": must not be empty'),
        ("ftp://a.b", 'image_url "ftp://a.b": must be an http(s) URL, a local file or a data URI'),
    ],
)
def test_what_is_wanted_is_said_as_the_table_says_it(address: str, told: str) -> None:
    """An empty address is called empty; a local file is among what is taken."""
    assert told == of_image(address)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (os.fsdecode(b"caf\xe9 noir"), "must be UTF-8, which the byte 0xE9 (at position 3) is not"),
        ("a\ud800", "must not hold the control character or lone surrogate U+D800 (at position 1)"),
        ("a\x00", "must not hold the control character or lone surrogate U+0000 (at position 1)"),
        ("p" * 2501, "must be text of 1 to 2,500 characters"),
    ],
)
def test_bad_characters_are_told_as_such(text: str, told: str) -> None:
    """A prompt in another encoding has not too many characters, but one that is no UTF-8."""
    problem = refused(kling("v2.1/master/text-to-video"), {"prompt": text})["prompt"]
    assert told == problem.message
    assert str(problem).isprintable()


def test_bad_characters_in_an_address_are_told_as_such() -> None:
    """There is no word of a wrong form where the characters are wrong."""
    assert "which the byte 0xE9 (at position 11) is not" in of_image("https://a.b\udce9/c")


@pytest.mark.parametrize("given", [None, [], "prompt"])
def test_arguments_that_are_no_object_are_refused(given: Any) -> None:
    """What is not a mapping of names is one problem, not a crash."""
    assert list(refused(kling("v2/master/text-to-video"), given)) == ["arguments"]


def test_a_number_beyond_all_bounds_is_refused() -> None:
    """An integer that no JSON reader takes is told by its size."""
    model = kling("v1/standard/text-to-video")
    control = {"movement_type": "pan", "movement_value": 10**5000}
    given = {"prompt": "a", "cfg_scale": 10**5000, "advanced_camera_control": control}
    problems = refused(model, given | {"duration": 10**5000})
    paths = ["cfg_scale", "advanced_camera_control.movement_value", "duration"]
    assert paths == list(problems)
    assert "(an integer of 16,610 bits)" == problems["duration"].value


def test_rows_show_nested_members_and_are_json() -> None:
    """The table of inputs holds every level and goes through JSON as it is."""
    table = rows(kling("v1/standard/image-to-video").inputs)
    names = [row["input"] for row in table]
    masks = ["dynamic_masks[].mask_url", "dynamic_masks[].trajectories"]
    assert ["dynamic_masks", *masks] == [n for n in names if n.startswith("dyn")][:3]
    duration = next(row for row in table if row["input"] == "duration")
    expected = ("seconds", "5", ["5", "10"])
    assert expected == (duration["type"], duration["default"], duration["choices"])
    assert table == json.loads(json.dumps(table))


def test_every_row_of_the_catalogue_is_described_and_sourced() -> None:
    """No input without a description, no endpoint without a source."""
    assert [] == [model.endpoint for model in CATALOGUE.search() if not model.sources]
    undescribed = [
        f"{model.endpoint} {row['input']}"
        for model in CHECKED
        for row in rows(model.inputs)
        if not row["description"]
    ]
    assert [] == undescribed
