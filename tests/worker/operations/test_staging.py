"""Local files among the inputs: rejected before anything is written, or stored for the worker."""

import base64
import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.factories.catalogue import kling
from tests.factories.input_files import MP3, MP4, PNG, named, png
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InvalidArguments
from worker.catalogue.inputs import Input, InputType
from worker.errors import Permanent
from worker.operations.staged_files import StagedFiles
from worker.operations.staging import Staging
from worker.storage import Storage
from worker.storage.layout import REFRESHED_AFTER, storage_key

MODEL = kling("v2.1/master/image-to-video")
A2V = kling("lipsync/audio-to-video")
REF = f"upload://{named(PNG)}"
MEGABYTE = 1024 * 1024


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a user's files."""
    directory = tmp_path / "home"
    directory.mkdir()
    (directory / "cat.png").write_bytes(PNG)
    (directory / "cat of mine.png").write_bytes(PNG)
    (directory / "speech.mp3").write_bytes(MP3)
    (directory / "clip.mp4").write_bytes(MP4)
    (directory / "notes.png").write_text("not a picture")
    (directory / "empty.png").touch()
    os.mkfifo(directory / "pipe.png")
    (directory / "loop.png").symlink_to("loop.png")
    return directory


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A storage in a directory."""
    return Storage.open(str(tmp_path / "storage"))


@pytest.fixture
def typed(home: Path, storage: Storage) -> Staging:
    """The staging of the command line."""
    return Staging(storage=lambda: storage, directory=home, anywhere=True)


def stage(staging: Staging, model: Any = MODEL, **arguments: object) -> StagedFiles:
    """Return the staged arguments of this endpoint."""
    return staging.stage(model and model.inputs, arguments)


def problem(staging: Staging, model: Any = MODEL, **arguments: object) -> str:
    """Return the only problem, with its path."""
    (only,) = stage(staging, model, **arguments).problems
    return str(only)


@pytest.mark.parametrize("form", ["{0}", "./{0}", "{1}/{0}", "file:{0}", "file://{1}/{0}"])
def test_a_file_by_path_or_url(typed: Staging, home: Path, storage: Storage, form: str) -> None:
    """Relative and absolute paths and file: URLs put the bytes into storage."""
    staged = stage(typed, prompt="a cat", image_url=form.format("cat.png", home))
    assert {"prompt": "a cat", "image_url": REF} == staged.arguments
    assert None is storage.read(storage_key(named(PNG)))
    typed.put(staged)
    assert PNG == storage.read(storage_key(named(PNG)))
    assert staged.arguments == MODEL.check(staged.arguments)


def test_spaces_and_percent_signs(typed: Staging, home: Path) -> None:
    """A path is used unchanged, a URL is decoded."""
    for value in ("cat of mine.png", f"file://{home}/cat%20of%20mine.png"):
        assert REF == stage(typed, image_url=value).arguments["image_url"]


@pytest.mark.parametrize("form", ["./~cat.png", "file:./~cat.png", "{}/~cat.png"])
def test_a_tilde_that_is_part_of_a_name(typed: Staging, home: Path, form: str) -> None:
    """Only a leading ~ means a home directory, as in a shell."""
    (home / "~cat.png").write_bytes(PNG)
    assert REF == stage(typed, image_url=form.format(home)).arguments["image_url"]


@pytest.mark.parametrize("mark", ["\n", "\r\n", "%0A", " "])
def test_base64_in_lines(typed: Staging, mark: str) -> None:
    """Base64 may have line breaks, as the `base64` program writes them."""
    written = base64.encodebytes(png(padding=90)).decode()
    assert "\n" in written.strip()
    data = f"data:image/png;base64,{written.replace(chr(10), mark)}"
    staged = stage(typed, image_url=data)
    assert {"image_url": f"upload://{named(png(padding=90))}"} == staged.arguments
    assert [] == staged.problems


def test_any_file_for_an_input_without_a_schema(typed: Staging, home: Path) -> None:
    """An archive is stored with the extension of its type."""
    zipped = b"PK\x03\x04" + b"\x00" * 64
    (home / "t.zip").write_bytes(zipped)
    name = named(zipped, "zip")
    staged = stage(typed, None, images_data_url="file:./t.zip")
    assert {"images_data_url": f"upload://{name}"} == staged.arguments
    typed.put(staged)
    assert zipped == typed.storage().read(storage_key(name))


def test_data_uris_and_nested_inputs(typed: Staging) -> None:
    """Inputs of URLs accept files, at any depth and in lists."""
    data = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    model = kling("v3/pro/image-to-video")
    elements = [{"frontal_image_url": "cat.png", "reference_image_urls": [data, data]}]
    staged = stage(typed, model, start_image_url=data, elements=elements)
    expected = [{"frontal_image_url": REF, "reference_image_urls": [REF, REF]}]
    assert {"start_image_url": REF, "elements": expected} == staged.arguments
    assert [named(PNG)] == list(staged.files)


def test_text_stays_text(typed: Staging) -> None:
    """A prompt that looks like a path, web URLs and unknown inputs are unchanged."""
    arguments = {"prompt": "./cat.png", "image_url": "https://example.com/a.png", "zoom": "cat.png"}
    staged = stage(typed, **arguments)
    assert arguments == staged.arguments
    assert ({}, []) == (staged.files, staged.problems)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"image_url": "dog.png"}, "cannot be read: No such file"),
        ({"image_url": "."}, "must be a regular file"),
        ({"image_url": "loop.png"}, "cannot be read"),
        ({"image_url": "~nobody-of-that-name/cat.png"}, "cannot be read"),
        ({"image_url": "a" * 5000}, "cannot be read"),
        ({"image_url": "pipe.png"}, "must be a regular file"),
        ({"image_url": "empty.png"}, "is empty"),
        ({"image_url": "notes.png"}, "must be an image (jpg, png"),
        ({"image_url": "clip.mp4"}, "it is video/mp4"),
        ({"image_url": "file:%00"}, "null characters"),
        ({"image_url": "data:image/png;base64,!!!!"}, "base64"),
        ({"image_url": "data:text/plain,hello"}, "must be an image"),
    ],
)
def test_an_unusable_file_is_named(typed: Staging, arguments: Any, words: str) -> None:
    """The problem of an unreadable or wrong file has the path and the requirement."""
    text = problem(typed, **arguments)
    assert text.startswith("image_url")
    assert words in text


def test_the_documented_size_of_an_input_is_enforced(typed: Staging, home: Path) -> None:
    """Speech for lip-sync may have 5 MB; one byte more is rejected without reading the file."""
    speech = home / "speech.mp3"
    for size, expected in ((5 * MEGABYTE, []), (5 * MEGABYTE + 1, ["audio_url"])):
        os.truncate(speech, size)
        staged = stage(typed, A2V, audio_url="speech.mp3")
        assert expected == [problem.path for problem in staged.problems]
    assert "at most 5,242,880 bytes" in problem(typed, A2V, audio_url="speech.mp3")


def test_problems_of_files_are_reported_with_all_others(typed: Staging) -> None:
    """One rejection has the file's problem once, and all others."""
    staged = stage(typed, image_url="dog.png", duration=7)
    with pytest.raises(InvalidArguments) as caught:
        MODEL.check(staged.arguments, problems=staged.problems)
    paths = [problem.path for problem in caught.value.problems]
    assert ["image_url", "duration", "prompt"] == paths


def test_messages_may_name_files_below_the_setting_alone(home: Path, storage: Storage) -> None:
    """A message cannot make a worker upload any other file of its machine."""
    inner = home / "inner"
    inner.mkdir()
    (inner / "cat.png").write_bytes(PNG)
    (inner / "link.png").symlink_to(home / "cat.png")
    staging = Staging(storage=lambda: storage, directory=inner)
    assert REF == stage(staging, image_url="file:cat.png").arguments["image_url"]
    for value in ("file:../cat.png", "file:link.png", f"file://{home}/cat.png"):
        assert "FALHOOK_INPUT_DIRECTORY" in problem(staging, image_url=value)
    # A bare path in a message is not a file; the catalogue reports it.
    assert "cat.png" == stage(staging, image_url="cat.png").arguments["image_url"]
    nothing = Staging(storage=lambda: storage, directory=None)
    assert "FALHOOK_INPUT_DIRECTORY" in problem(nothing, image_url="file:cat.png")


def test_inputs_of_unknown_endpoints(typed: Staging) -> None:
    """Without a schema, file: and data: mark files of any media type."""
    arguments = {"a": ["file:cat.png", "cat.png"], "b": {"c": "file:speech.mp3"}, "n": 1}
    staged = stage(typed, None, **arguments)
    speech = f"upload://{named(MP3, 'mp3')}"
    assert {"a": [REF, "cat.png"], "b": {"c": speech}, "n": 1} == staged.arguments


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", "data: is the new oil"),
        ("prompt", "file:cat.png"),
        ("negative_prompt", "data:image/png;base64,AAAA"),
        ("lyrics", "file:cat.png"),
        ("title", "data: is the new oil"),
        ("title", "Data:,"),
        ("title", "file: closed"),
    ],
)
def test_words_are_no_files(typed: Staging, name: str, value: str) -> None:
    """Without a schema, the input's name or the text's form decides."""
    staged = stage(typed, None, **{name: value, "shots": [{name: value}]})
    assert {name: value, "shots": [{name: value}]} == staged.arguments
    assert ({}, []) == (staged.files, staged.problems)


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("prompts", ["file:dog.png"], "prompts[0]"),
        ("multi_prompt", [{"prompt": "file:a", "image_url": "file:dog.png"}], None),
        ("image_prompt", "file:dog.png", "image_prompt"),
        ("texts", {"caption": "file:a", "b": {"c": "file:dog.png"}}, "texts.b.c"),
    ],
)
def test_words_by_their_name_hold_for_the_text_itself(
    typed: Staging, name: str, value: object, path: str | None
) -> None:
    """In nested inputs, plurals and inputs about media, what looks like a file is a file."""
    (only,) = stage(typed, None, **{name: value}).problems
    assert (path or "multi_prompt[0].image_url", '"file:dog.png"') == (only.path, only.value)


def of(kind: InputType, name: str = "reference", **more: Any) -> Endpoint:
    """Return an endpoint of the user's catalogue with such an input."""
    return Endpoint(endpoint="acme/x", inputs=(Input(name=name, kind=kind, **more),))


def test_a_file_for_an_input_whose_schema_says_little(typed: Staging) -> None:
    """Without a stated format, file: and data: mark files, at any depth of an untyped input.

    A bare path stays text.
    """
    cases: list[tuple[Endpoint, object, object]] = [
        (of(InputType.STRING), "file:cat.png", REF),
        (of(InputType.STRING, many=True), ["file:cat.png", "cat.png"], [REF, "cat.png"]),
        (of(InputType.ANY), "file:cat.png", REF),
        (of(InputType.ANY), {"a": [{"prompt": "file:a", "url": "file:cat.png"}]}, None),
        (of(InputType.STRING, choices=("file:a",)), "file:cat.png", "file:cat.png"),
        (of(InputType.TEXT), "file:cat.png", "file:cat.png"),
    ]
    for model, value, expected in cases:
        staged = stage(typed, model, reference=value)
        deep = {"a": [{"prompt": "file:a", "url": REF}]}
        assert {"reference": expected or deep} == staged.arguments
        assert [] == staged.problems
    for kind in (InputType.STRING, InputType.ANY):
        assert "No such file" in problem(typed, of(kind), reference="file:dog.png")
        words = stage(typed, of(kind, "caption"), caption="file:dog.png")
        assert ({"caption": "file:dog.png"}, []) == (words.arguments, words.problems)


def test_a_path_instead_of_a_list_is_reported_unchanged(typed: Staging) -> None:
    """The problem has the path and not its name in storage, and suggests brackets."""
    model = kling("v1.6/pro/elements")
    staged = stage(typed, model, prompt="a", input_image_urls="cat.png")
    with pytest.raises(InvalidArguments) as caught:
        model.check(staged.arguments, problems=staged.problems)
    (only,) = caught.value.problems
    assert ('"cat.png"', 'put it in brackets: ["…"]') == (only.value, only.hint)


def test_a_damaged_file_in_storage_is_replaced(typed: Staging, storage: Storage) -> None:
    """A stored file with the right name and another size is overwritten."""
    storage.put(storage_key(named(PNG)), b"half", content_type="image/png")
    typed.put(stage(typed, image_url="cat.png"))
    assert PNG == storage.read(storage_key(named(PNG)))


def test_a_missing_file_is_reported_with_its_whole_path(typed: Staging, home: Path) -> None:
    """A relative path alone would not show where the file was expected."""
    assert f"({home}/dog.png)" in problem(typed, image_url="dog.png")


def test_a_large_file_is_stored_in_parts(typed: Staging, home: Path, storage: Storage) -> None:
    """What is larger than one part of an upload arrives whole, under the name of its content."""
    data = png(padding=6 * MEGABYTE)
    (home / "cat.png").write_bytes(data)
    typed.put(stage(typed, image_url="cat.png"))
    assert data == storage.read(storage_key(named(data)))


def test_a_large_file_that_changes_is_not_stored(
    typed: Staging, home: Path, storage: Storage
) -> None:
    """Bytes that were not validated are not in storage, not even under another name."""
    (home / "cat.png").write_bytes(png(padding=6 * MEGABYTE))
    staged = stage(typed, image_url="cat.png")
    (home / "cat.png").write_bytes(png(padding=6 * MEGABYTE + 1))
    with pytest.raises(Permanent, match="changed while its job was created"):
        typed.put(staged)
    assert [] == list(storage.list("uploads"))


@pytest.mark.parametrize("data", [png(padding=9), None])
def test_a_file_that_changes_is_rejected(typed: Staging, home: Path, data: bytes | None) -> None:
    """Only validated bytes are stored; the rejection names the input and its file."""
    staged = stage(typed, image_url="cat.png")
    (home / "cat.png").write_bytes(data) if data else (home / "cat.png").unlink()
    with pytest.raises(Permanent, match=r'image_url "cat\.png"') as caught:
        typed.put(staged)
    assert "input_changed" == caught.value.reason


ADVICE = "upload it with POST /v1/uploads and pass its upload:// address"


@pytest.fixture
def remote(storage: Storage) -> Staging:
    """The staging of callers who have no files on this machine."""
    return Staging(storage=lambda: storage, directory=None, advice=ADVICE, check_uploads=True)


@pytest.mark.parametrize("value", ["file:cat.png", "file:///etc/passwd", "cat.png", "/a/cat.png"])
def test_callers_elsewhere_are_told_how_to_pass_a_file(remote: Staging, value: str) -> None:
    """A path is refused, whether there is such a file or not, and no setting is named."""
    shown = f'"{value}"'
    assert f"image_url {shown}: must be a URL: {ADVICE}" == problem(remote, image_url=value)


@pytest.mark.parametrize("value", ["https://example.com/cat.png", "data:image/png;base64,"])
def test_callers_elsewhere_may_pass_what_anyone_may(remote: Staging, value: str) -> None:
    """Web addresses and data URIs are treated as ever."""
    value += base64.b64encode(PNG).decode() if value.startswith("data:") else ""
    assert [] == stage(remote, image_url=value).problems


def test_an_upload_has_to_be_stored(remote: Staging, typed: Staging, storage: Storage) -> None:
    """A reference to nothing is refused before the job exists, with the cure of either caller."""
    missing = f'image_url "{REF[:40]}…": is not in the storage: '
    assert missing + ADVICE == problem(remote, image_url=REF)
    assert missing + "pass the file itself" == problem(
        replace(typed, check_uploads=True), image_url=REF
    )
    assert [] == stage(typed, image_url=REF).problems
    storage.put(storage_key(named(PNG)), PNG, content_type="image/png")
    staged = stage(remote, prompt=REF, image_url=REF)
    assert ([], {}, {"prompt": REF, "image_url": REF}) == (
        staged.problems,
        staged.files,
        staged.arguments,
    )


def test_an_upload_that_is_too_large_for_its_input_is_refused(
    remote: Staging, storage: Storage
) -> None:
    """The limit is the input's."""
    large = png(padding=MEGABYTE)
    storage.put(storage_key(named(large)), large, content_type="image/png")
    item = Input(name="image_url", kind=InputType.URL, max_megabytes=1)
    (only,) = remote.stage((item,), {"image_url": f"upload://{named(large)}"}).problems
    assert f"must have at most {item.max_bytes:,} bytes" == only.message


def test_an_old_upload_is_stored_again(remote: Staging, storage: Storage) -> None:
    """It is as old as the last job that refers to it, so it stays while that may need it."""
    storage.put(storage_key(named(PNG)), PNG, content_type="image/png")
    assert storage.root is not None
    os.utime(storage.root / storage_key(named(PNG)), (1.0, 1.0))
    for age, expected in ((REFRESHED_AFTER - 1, 1.0), (REFRESHED_AFTER + 1, time.time())):
        aged = replace(remote, clock=partial(float, 1.0 + age))
        aged.put(stage(aged, image_url=REF))
        found = storage.find(storage_key(named(PNG)))
        assert found is not None
        assert pytest.approx(expected, abs=60.0) == found.modified
