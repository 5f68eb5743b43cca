"""The catalogue lists every endpoint, accepts what fal accepts and rejects the rest helpfully."""

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
def test_valid_arguments_pass_unchanged_except_durations(model: Endpoint) -> None:
    """Declared values are accepted, nothing is added, and JSON can carry the result."""

    @FEW
    @given(arguments(model))
    def holds(given: Arguments) -> None:
        checked = model.check(given)
        assert as_sent(model.inputs, given) == checked
        assert list(given) == list(checked)
        assert checked == json.loads(json.dumps(checked, allow_nan=False).encode())

    holds()


@every_model
def test_a_single_problem_is_reported_at_its_path(model: Endpoint) -> None:
    """A missing, unknown, mistyped or out-of-range input is reported at its path."""

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
    """Its files are hosted by fal and of the input's family; references are set."""
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


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(CHECKED),
    st.dictionaries(st.sampled_from(NAMES) | st.text(st.characters()), ANYTHING, max_size=6),
)
def test_any_input_gives_json_or_a_printable_error(model: Endpoint, given: Any) -> None:
    """No input makes JSON encoding fail later or the error message unprintable."""
    message = ""
    try:
        checked = model.check(given)
        json.dumps(checked, allow_nan=False, ensure_ascii=False).encode()
    except InvalidArguments as invalid:
        message = str(invalid).replace("\n", " ")
    assert message.isprintable()


@pytest.mark.parametrize("example", PUBLISHED, ids=lambda example: example["name"])
def test_published_examples(example: Any) -> None:
    """fal's own examples pass; its documented mistakes are rejected by name."""
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
    """Each request type on Kling 2.1 master's API page leads to the endpoints that accept it."""
    served = [model for model in CHECKED if model.request_type == request_type]
    expected = [f"{KLING}/{path}" for path in REQUEST_TYPES[request_type]]
    assert expected == [model.endpoint for model in served]
    assert all(model.example() for model in served)


def test_the_catalogue_is_complete() -> None:
    """79 endpoints can be checked; 2 are withdrawn and 1 is announced."""
    by_status = [model.status for model in CATALOGUE.search()]
    assert [79, 0, 2, 1] == [by_status.count(status) for status in Status]


@pytest.mark.parametrize("given", [5, 5.0, "5"])
def test_a_numeric_duration_becomes_the_string_fal_requires(given: object) -> None:
    """A duration of 5 is sent as "5", also if nested."""
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
        ("create-voice", "zzz", "it accepts voice_url"),
    ],
)
def test_an_unknown_name_gets_the_valid_one(path: str, name: str, hint: str) -> None:
    """The hint for a misspelt name, or one of another version, is the valid name."""
    problems = refused(kling(path), {name: IMAGE})
    assert hint == problems[name].hint


@pytest.mark.parametrize(
    ("path", "name", "prefix", "endpoint"),
    [
        ("v2.1/standard/image-to-video", "tail_image_url", "", "v2.1/pro/image-to-video"),
        ("v2.5-turbo/standard/image-to-video", "end_image_url", "", "o1/standard/image-to-video"),
        ("v3/turbo/pro/text-to-video", "negative_prompt", "", "v3/pro/text-to-video"),
        ("o3/pro/video-to-video/edit", "generate_audio", "", "o3/pro/image-to-video"),
        ("create-voice", "audio_url", "", "lipsync/audio-to-video"),
        ("v3/pro/motion-control", "video_url", "elements[0].", "v3/pro/image-to-video"),
    ],
)
def test_a_name_of_another_endpoint_is_not_a_misspelling(
    path: str, name: str, prefix: str, endpoint: str
) -> None:
    """An endpoint that accepts it is named, and no other name is suggested."""
    arguments = {"elements": [{name: IMAGE}]} if prefix else {name: IMAGE}
    problem = refused(kling(path), arguments)[prefix + name]
    assert "is not an input of this endpoint" == problem.message
    assert f"{KLING}/{endpoint} accepts it" == problem.hint


def test_null_counts_as_not_passed() -> None:
    """A null shot list next to a prompt is one mistake, not two that contradict each other."""
    problems = refused(kling("v3/pro/text-to-video"), {"multi_prompt": None, "prompt": "a cat"})
    message = "must be a list of at least 1 item"
    assert {"multi_prompt": message} == {
        path: problem.message for path, problem in problems.items()
    }
    assert "omit it to use the default" == problems["multi_prompt"].hint


@pytest.mark.parametrize("name", ["webhook_url", "webhookUrl", "fal_webhook"])
def test_a_callback_url_among_the_inputs_is_rejected(name: str) -> None:
    """fal would ignore it silently; the error says that falhook creates the URL."""
    model = kling("v2/master/text-to-video")
    problems = refused(model, {"prompt": "a cat", name: "https://example.com/hook"})
    assert [name] == list(problems)
    assert "falhook creates the callback URL" in problems[name].hint


def test_all_problems_are_reported_together() -> None:
    """One line per problem: path, value, requirement and the nearest valid name."""
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
    expected = f"""{endpoint} does not accept these inputs:
  start_image_url "./cat.jpg": must be an http(s) URL, a local file or a data URI; \
in a message, name a file on the worker as file:PATH
  duration "7": must be one of "5", "10"
  negative_promt (4 characters): is not an input of this endpoint; did you mean negative_prompt?
  voice_ids (a list of 3): must be a list of at most 2 items"""
    assert expected == str(caught.value)


def test_the_nearest_choice_is_offered() -> None:
    """A misspelt effect gets the right one of nearly two hundred."""
    problem = refused(kling("v1.6/pro/effects"), {"effect_scene": "Squishh"})["effect_scene"]
    assert 'did you mean "squish"?' == problem.hint
    assert problem.message.endswith(" and 182 more, which `falhook models show … --json` lists")


def test_numbers_are_not_misspellings() -> None:
    """An unknown ratio gets no suggestion; a word in another case gets the right one."""
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
def test_errors_contain_no_prompt_and_no_credentials(given: Arguments) -> None:
    """Neither a prompt, even under a wrong name, nor a URL's secrets reach the error."""
    with pytest.raises(InvalidArguments) as caught:
        kling("v2.1/pro/image-to-video").check(given)
    assert "heist" not in str(caught.value)
    assert "harbour" not in str(caught.value)


def image_error(address: str) -> str:
    """Return the error for this image URL."""
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
def test_a_url_that_fal_cannot_reach_is_rejected(host: str) -> None:
    """fal can only fetch from the public internet; the error says what to do instead."""
    error = image_error(f"https://{host}/cat.png")
    assert "must be a URL that fal can reach on the internet; pass the file itself" in error


@pytest.mark.parametrize(
    "address",
    [
        *("https:///cat.png", "https://a..b/cat.png", "http://.", "https://"),
        *("https://-a.b/cat.png", "https://*.example/cat.png", "https://.example.com/cat.png"),
    ],
)
def test_a_url_without_a_valid_host_is_rejected(address: str) -> None:
    """Empty labels, no host and invalid host names."""
    assert image_error(address).endswith("must be a URL with a valid host")


@pytest.mark.parametrize(
    "host",
    [
        *("example.com", "EXAMPLE.com.", "b\u00fccher.example", "xn--bcher-kva.example:8443"),
        *("8.8.8.8", "[2606:4700::1111]", "a_b.example", "me:word@cdn.example.co.uk"),
    ],
)
def test_a_public_url_is_accepted(host: str) -> None:
    """Names with a dot and public addresses, with port, credentials or a final dot."""
    given = TEXT | {"image_url": f"https://{host}/cat.png?size=1"}
    assert given == kling("v2/master/image-to-video").check(given)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", 'image_url "": must not be empty'),
        ("ftp://a.b", 'image_url "ftp://a.b": must be an http(s) URL, a local file or a data URI'),
    ],
)
def test_the_requirement_is_worded_like_the_table_of_inputs(address: str, expected: str) -> None:
    """An empty URL is called empty; the requirement mentions local files."""
    assert expected == image_error(address)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (os.fsdecode(b"caf\xe9 noir"), "must be UTF-8; the byte 0xE9 at position 3 is not"),
        (
            "a\ud800",
            "must not contain the control character or lone surrogate U+D800 at position 1",
        ),
        (
            "a\x00",
            "must not contain the control character or lone surrogate U+0000 at position 1",
        ),
        ("p" * 2501, "must be text of 1 to 2,500 characters"),
    ],
)
def test_the_invalid_character_is_reported(text: str, expected: str) -> None:
    """A prompt in another encoding is not called too long, but not UTF-8."""
    problem = refused(kling("v2.1/master/text-to-video"), {"prompt": text})["prompt"]
    assert expected == problem.message
    assert str(problem).isprintable()


def test_the_invalid_character_in_a_url_is_reported() -> None:
    """The error names the character instead of calling the URL malformed."""
    assert "the byte 0xE9 at position 11 is not" in image_error("https://a.b\udce9/c")


@pytest.mark.parametrize("given", [None, [], "prompt"])
def test_arguments_that_are_not_an_object_are_rejected(given: Any) -> None:
    """Anything but a mapping is one problem, not a crash."""
    assert ["arguments"] == list(refused(kling("v2/master/text-to-video"), given))


def test_a_huge_number_is_rejected() -> None:
    """An integer too large for JSON readers is reported by its size."""
    model = kling("v1/standard/text-to-video")
    control = {"movement_type": "pan", "movement_value": 10**5000}
    given = {"prompt": "a", "cfg_scale": 10**5000, "advanced_camera_control": control}
    problems = refused(model, given | {"duration": 10**5000})
    paths = ["cfg_scale", "advanced_camera_control.movement_value", "duration"]
    assert paths == list(problems)
    assert "(an integer of 16,610 bits)" == problems["duration"].value


def test_rows_show_nested_members_and_are_json() -> None:
    """The table of inputs has every level and survives JSON unchanged."""
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
