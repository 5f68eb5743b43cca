"""`falhook submit`: the meaning of each flag, and inputs that are set twice."""

import json
from pathlib import Path

import pytest

from tests.factories.batches import IMAGE, TEXT
from tests.factories.cli import FOX, Run, refused, submitted
from tests.factories.input_files import PNG, named, png
from worker.storage import Storage
from worker.storage.layout import storage_key


@pytest.mark.parametrize(
    ("endpoint", "flags", "inputs"),
    [
        (IMAGE, ["--image", "cat.png"], {"image_url": PNG}),
        ("fal-ai/kling-video/v2.6/pro/image-to-video", ["--image", "./cat.png"], None),
        ("fal-ai/kling-video/v1.6/pro/elements", ["--image", "cat.png"], None),
        (IMAGE, ["image_url=file:cat.png"], {"image_url": PNG}),
        (IMAGE, ["--arguments", '{"image_url": "cat.png"}'], {"image_url": PNG}),
    ],
)
def test_a_local_file_by_flag_or_by_name(
    run: Run, home: Path, endpoint: str, flags: list[str], inputs: dict[str, bytes] | None
) -> None:
    """--image sets the endpoint's own input; the bytes are in storage when the job exists."""
    job = submitted(run, endpoint, "--prompt", "A cat", *flags)
    assert f"upload://{named(PNG)}" in json.dumps(job["arguments"])
    if inputs:
        assert set(inputs) < set(job["arguments"])
    storage = Storage.open(str(home / "storage"))
    assert PNG == storage.read(storage_key(named(PNG)))


def test_a_flag_fills_one_input_however_many_files_it_gets(run: Run, home: Path) -> None:
    """If an endpoint has both a list of pictures and single ones, the flag sets the list."""
    (home / "dog.png").write_bytes(png(padding=1))
    both = [f"upload://{named(data)}" for data in (PNG, png(padding=1))]
    endpoint = "fal-ai/kling-video/o3/pro/reference-to-video"
    assert "--image fills image_urls" in run("models", "show", endpoint).stdout
    flags = ["--image", "cat.png", "--image", "dog.png"]
    for count in (1, 2):
        job = submitted(run, endpoint, "--prompt", "A", *flags[: 2 * count])
        assert both[:count] == job["arguments"]["image_urls"]


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("fal-ai/kling-video/v1/pro/image-to-video", "--image fills image_url"),
        ("fal-ai/kling-video/v3/pro/image-to-video", "--image fills start_image_url"),
        ("fal-ai/kling-video/lipsync/audio-to-video", "--audio fills audio_url, --video fills"),
    ],
)
def test_the_input_of_a_flag_is_shown(run: Run, endpoint: str, words: str) -> None:
    """A flag sets the required input before optional ones."""
    assert words in " ".join(run("models", "show", endpoint).stdout.split())


def test_an_ambiguous_flag_is_rejected(run: Run) -> None:
    """An endpoint with two required images needs their names, which the error has."""
    endpoint = "fal-ai/kling/v1-5/kolors-virtual-try-on"
    stderr = refused(run, endpoint, "--image", "cat.png")
    assert "more than one image; use human_image_url=… or garment_image_url=… instead." in stderr
    assert "--image" not in run("models", "show", endpoint).stdout


def test_two_flags_for_one_input(run: Run) -> None:
    """Two flags that set the same input are rejected, since one value would be lost."""
    files = ["--audio", "speech.mp3", "--video", "clip.mp4"]
    stderr = refused(run, "fal-ai/kling-video/create-voice", *files)
    assert "voice_url is set twice, by --video and --audio; remove one." in stderr


def test_a_single_value_for_a_list(run: Run) -> None:
    """A single value becomes a list of one; JSON lists are read as lists."""
    endpoint = "fal-ai/kling-video/v1.6/pro/elements"
    one = [f"upload://{named(PNG)}"]
    for value, expected in [("cat.png", one), ('["cat.png", "cat.png"]', one * 2)]:
        job = submitted(run, endpoint, "--prompt", "A", f"input_image_urls={value}")
        assert expected == job["arguments"]["input_image_urls"]


def test_arguments_that_nest_too_deeply(run: Run, home: Path) -> None:
    """They are rejected with one sentence, like other text that is not a JSON object."""
    (home / "deep.json").write_text("[" * 200_000 + "]" * 200_000)
    assert "nests too deeply" in refused(run, TEXT, "--arguments", "@deep.json")


def test_options_from_flags_and_json(run: Run) -> None:
    """Flags override the JSON object; unknown options are rejected."""
    flags = ["--options", '{"priority": "normal", "runner_hint": "a"}', "--priority", "low"]
    flags += ["--start-timeout", "60", "--no-retry", "--no-store-io", "--object-lifetime", "7d"]
    flags += ["--max-queue-length", "20"]
    job = submitted(run, *FOX, *flags, "--tag", "team=films")
    expected = {
        "max_queue_length": 20,
        "priority": "low",
        "runner_hint": "a",
        "start_timeout": 60.0,
        "no_retry": True,
        "store_io": False,
        "object_lifecycle": {"expiration_duration_seconds": 604_800},
        "tags": {"team": "films"},
    }
    assert expected == job["options"]
    assert "tags.Team" in refused(run, *FOX, "--tag", "Team=x")
    assert "prio: is not an option" in refused(run, *FOX, "--options", '{"prio": 1}')


def test_flags_keep_other_members_of_the_options(run: Run) -> None:
    """--object-lifetime keeps the access rules, --tag keeps the other tags."""
    acl = {"default": "allow", "rules": [{"user": "us", "decision": "allow"}]}
    options = {"object_lifecycle": {"initial_acl": acl}, "tags": {"team": "films", "n": "1"}}
    flags = ["--options", json.dumps(options), "--object-lifetime", "24h", "--tag", "n=2"]
    merged = submitted(run, *FOX, *flags)["options"]
    lifecycle = {"initial_acl": acl, "expiration_duration_seconds": 86_400}
    assert {"object_lifecycle": lifecycle, "tags": {"team": "films", "n": "2"}} == merged


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["prompt=x", "--prompt", "y"], "prompt is set twice, by prompt=… and --prompt;"),
        (["prompt=x", "prompt=y"], "prompt is set twice, by prompt=… and prompt=…; remove one"),
        (
            ["--image", "cat.png", "image_url=https://a.example/b.png"],
            "image_url is set twice, by --image and image_url=…; remove one.",
        ),
        (["--tag", "a=1", "--tag", "a=2"], "--tag a is set twice"),
        (["--metadata", "a=1", "--metadata", "a=1"], "--metadata a is set twice"),
    ],
)
def test_what_is_given_twice_is_refused(run: Run, flags: list[str], words: str) -> None:
    """A name that is set twice is an error, since one value would be lost silently."""
    assert words in refused(run, IMAGE, *flags)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["b\udcff=1"], r'The name "b\udcff" must be UTF-8.'),
        (["--metadata", "b\udcff=1"], r'The name "b\udcff" must be UTF-8.'),
        (["--metadata", "b=\udcff"], "--metadata b must be UTF-8."),
        (["--tag", "b=\udcff"], "--tag b must be UTF-8."),
    ],
)
def test_bytes_that_are_not_utf_8_are_rejected(run: Run, flags: list[str], words: str) -> None:
    """Neither fal nor the record could store them."""
    assert words in refused(run, *FOX, *flags)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--arguments", '{"duration": 5, "duration": 10}'], '--arguments is JSON with "dur'),
        (["--options", '{"tags": {"a": "1", "a": "2"}}'], '--options is JSON with "a" twice'),
        (["--arguments", "{"], "--arguments is not JSON: Expecting property name"),
        (["--arguments", "{\n1}"], "at line 2, character 1."),
        (["--unchecked", 'a={"x": 1, "x": 2}'], 'a: is JSON with "x" twice'),
    ],
)
def test_json_that_would_lose_a_part_is_rejected(run: Run, flags: list[str], words: str) -> None:
    """Duplicate names are rejected, since Python's reader would keep only the last."""
    assert words in refused(run, *FOX, *flags)


def test_flags_stand_over_arguments(run: Run) -> None:
    """--arguments is a template, in which a flag replaces one input."""
    template = json.dumps({"prompt": "x", "duration": 5})
    job = submitted(run, TEXT, "--arguments", template, "--prompt", "y")
    assert {"prompt": "y", "duration": "5"} == job["arguments"]


def test_an_input_written_like_a_flag_is_explained(run: Run) -> None:
    """Whoever writes --duration 7 is told how inputs are written, beside similar flags."""
    text = run("submit", *FOX, "--aspect-ratio", "9:16").stderr
    assert "--aspect-ratio. An input is written without dashes: aspect_ratio=…" in text
