"""Local files among the inputs: refused before anything is written, else kept for the worker."""

import base64
import os
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
from worker.storage.layout import storage_key

MODEL = kling("v2.1/master/image-to-video")
A2V = kling("lipsync/audio-to-video")
REF = f"upload://{named(PNG)}"
MEGABYTE = 1024 * 1024


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with files of a person."""
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
    """A directory of storage."""
    return Storage.open(str(tmp_path / "storage"))


@pytest.fixture
def typed(home: Path, storage: Storage) -> Staging:
    """The staging of the command line."""
    return Staging(storage=lambda: storage, directory=home, anywhere=True)


def stage(staging: Staging, model: Any = MODEL, **arguments: object) -> StagedFiles:
    """The staged arguments of that model."""
    return staging.stage(model and model.inputs, arguments)


def problem(staging: Staging, model: Any = MODEL, **arguments: object) -> str:
    """The one problem, with its path."""
    (found,) = stage(staging, model, **arguments).problems
    return str(found)


@pytest.mark.parametrize("form", ["{0}", "./{0}", "{1}/{0}", "file:{0}", "file://{1}/{0}"])
def test_a_file_by_any_of_its_names(
    typed: Staging, home: Path, storage: Storage, form: str
) -> None:
    """Path, relative or absolute, and file: URL lead to the bytes in storage."""
    staged = stage(typed, prompt="a cat", image_url=form.format("cat.png", home))
    assert {"prompt": "a cat", "image_url": REF} == staged.arguments
    assert None is storage.read(storage_key(named(PNG)))
    typed.put(staged)
    assert PNG == storage.read(storage_key(named(PNG)))
    assert staged.arguments == MODEL.check(staged.arguments)


def test_spaces_and_percent_signs(typed: Staging, home: Path) -> None:
    """A path is taken as it is, a URL decoded."""
    for value in ("cat of mine.png", f"file://{home}/cat%20of%20mine.png"):
        assert REF == stage(typed, image_url=value).arguments["image_url"]


@pytest.mark.parametrize("form", ["./~cat.png", "file:./~cat.png", "{}/~cat.png"])
def test_a_tilde_that_is_part_of_a_name(typed: Staging, home: Path, form: str) -> None:
    """Only at the very beginning it stands for a home directory, as in a shell."""
    (home / "~cat.png").write_bytes(PNG)
    assert REF == stage(typed, image_url=form.format(home)).arguments["image_url"]


@pytest.mark.parametrize("mark", ["\n", "\r\n", "%0A", " "])
def test_base64_in_lines(typed: Staging, mark: str) -> None:
    """As the `base64` program writes it."""
    written = base64.encodebytes(png(padding=90)).decode()
    assert "\n" in written.strip()
    data = f"data:image/png;base64,{written.replace(chr(10), mark)}"
    staged = stage(typed, image_url=data)
    assert {"image_url": f"upload://{named(png(padding=90))}"} == staged.arguments
    assert [] == staged.problems


def test_any_file_for_an_input_that_nobody_knows(typed: Staging, home: Path) -> None:
    """Training takes archives: they lie in storage under their type."""
    zipped = b"PK\x03\x04" + b"\x00" * 64
    (home / "t.zip").write_bytes(zipped)
    name = named(zipped, "zip")
    staged = stage(typed, None, images_data_url="file:./t.zip")
    assert {"images_data_url": f"upload://{name}"} == staged.arguments
    typed.put(staged)
    assert zipped == typed.storage().read(storage_key(name))


def test_data_uris_and_nested_inputs(typed: Staging) -> None:
    """Whatever input takes an address takes a file, at any depth and in lists."""
    data = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    model = kling("v3/pro/image-to-video")
    elements = [{"frontal_image_url": "cat.png", "reference_image_urls": [data, data]}]
    staged = stage(typed, model, start_image_url=data, elements=elements)
    expected = [{"frontal_image_url": REF, "reference_image_urls": [REF, REF]}]
    assert {"start_image_url": REF, "elements": expected} == staged.arguments
    assert [named(PNG)] == list(staged.files)


def test_text_stays_text(typed: Staging) -> None:
    """A prompt that reads like a path is a prompt; web addresses and unknown names stay."""
    given = {"prompt": "./cat.png", "image_url": "https://example.com/a.png", "zoom": "cat.png"}
    staged = stage(typed, **given)
    assert given == staged.arguments
    assert ({}, []) == (staged.files, staged.problems)


@pytest.mark.parametrize(
    ("arguments", "told"),
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
def test_what_cannot_be_used_is_named(typed: Staging, arguments: Any, told: str) -> None:
    """Unreadable and of a wrong type: path, value and what is taken instead."""
    text = problem(typed, **arguments)
    assert text.startswith("image_url")
    assert told in text


def test_the_documented_size_of_an_input_holds(typed: Staging, home: Path) -> None:
    """Speech for lip-sync has at most 5 MB; a byte more is refused without being read."""
    speech = home / "speech.mp3"
    for size, found in ((5 * MEGABYTE, []), (5 * MEGABYTE + 1, ["audio_url"])):
        os.truncate(speech, size)
        staged = stage(typed, A2V, audio_url="speech.mp3")
        assert found == [problem.path for problem in staged.problems]
    assert "at most 5,242,880 bytes" in problem(typed, A2V, audio_url="speech.mp3")


def test_problems_of_files_come_with_all_others(typed: Staging) -> None:
    """One refusal tells of the file and of the rest, and of the file once."""
    staged = stage(typed, image_url="dog.png", duration=7)
    with pytest.raises(InvalidArguments) as caught:
        MODEL.check(staged.arguments, problems=staged.problems)
    paths = [problem.path for problem in caught.value.problems]
    assert ["image_url", "duration", "prompt"] == paths


def test_messages_may_name_files_below_the_setting_alone(home: Path, storage: Storage) -> None:
    """Whoever sends a message cannot make a worker hand out a file of its machine."""
    inner = home / "inner"
    inner.mkdir()
    (inner / "cat.png").write_bytes(PNG)
    (inner / "link.png").symlink_to(home / "cat.png")
    staging = Staging(storage=lambda: storage, directory=inner)
    assert REF == stage(staging, image_url="file:cat.png").arguments["image_url"]
    for value in ("file:../cat.png", "file:link.png", f"file://{home}/cat.png"):
        assert "FALHOOK_INPUT_DIRECTORY" in problem(staging, image_url=value)
    # A bare path in a message is no file, but a mistake for the catalogue to tell.
    assert "cat.png" == stage(staging, image_url="cat.png").arguments["image_url"]
    nothing = Staging(storage=lambda: storage, directory=None)
    assert "FALHOOK_INPUT_DIRECTORY" in problem(nothing, image_url="file:cat.png")


def test_inputs_of_unknown_endpoints(typed: Staging) -> None:
    """Where no schema says what an input is, file: and data: mark files, of any media."""
    given = {"a": ["file:cat.png", "cat.png"], "b": {"c": "file:speech.mp3"}, "n": 1}
    staged = stage(typed, None, **given)
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
    """Where no schema says what an input is, its name or its form does; nothing of it is told."""
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
    """Below it, in its plural and where it is about media, what looks like a file is one."""
    (found,) = stage(typed, None, **{name: value}).problems
    assert (path or "multi_prompt[0].image_url", '"file:dog.png"') == (found.path, found.value)


def of(kind: InputType, name: str = "reference", **more: Any) -> Endpoint:
    """An endpoint of the user's catalogue that takes such an input."""
    return Endpoint(endpoint="acme/x", inputs=(Input(name=name, kind=kind, **more),))


def test_a_file_for_an_input_whose_schema_says_little(typed: Staging) -> None:
    """An object, or any text, may be an address: file: and data: mark files, deeply in what is any.

    A bare path is a text, since nothing says that it is none.
    """
    cases: list[tuple[Endpoint, object, object]] = [
        (of(InputType.STRING), "file:cat.png", REF),
        (of(InputType.STRING, many=True), ["file:cat.png", "cat.png"], [REF, "cat.png"]),
        (of(InputType.ANY), "file:cat.png", REF),
        (of(InputType.ANY), {"a": [{"prompt": "file:a", "url": "file:cat.png"}]}, None),
        (of(InputType.STRING, choices=("file:a",)), "file:cat.png", "file:cat.png"),
        (of(InputType.TEXT), "file:cat.png", "file:cat.png"),
    ]
    for model, given, expected in cases:
        staged = stage(typed, model, reference=given)
        deep = {"a": [{"prompt": "file:a", "url": REF}]}
        assert {"reference": expected or deep} == staged.arguments
        assert [] == staged.problems
    for kind in (InputType.STRING, InputType.ANY):
        assert "No such file" in problem(typed, of(kind), reference="file:dog.png")
        words = stage(typed, of(kind, "caption"), caption="file:dog.png")
        assert ({"caption": "file:dog.png"}, []) == (words.arguments, words.problems)


def test_one_path_in_place_of_a_list_is_told_as_it_was_given(typed: Staging) -> None:
    """Not as the name under which its bytes would be kept; the brackets are shown."""
    model = kling("v1.6/pro/elements")
    staged = stage(typed, model, prompt="a", input_image_urls="cat.png")
    with pytest.raises(InvalidArguments) as caught:
        model.check(staged.arguments, problems=staged.problems)
    (found,) = caught.value.problems
    assert ('"cat.png"', 'put it in brackets: ["…"]') == (found.value, found.hint)


def test_what_lies_there_damaged_is_replaced(typed: Staging, storage: Storage) -> None:
    """A file of the right name and another size is none that was staged."""
    storage.put(storage_key(named(PNG)), b"half", content_type="image/png")
    typed.put(stage(typed, image_url="cat.png"))
    assert PNG == storage.read(storage_key(named(PNG)))


def test_a_file_that_is_not_there_is_told_with_the_place(typed: Staging, home: Path) -> None:
    """A relative path says nothing of where it was looked for."""
    assert f"({home}/dog.png)" in problem(typed, image_url="dog.png")


@pytest.mark.parametrize("data", [png(padding=9), None])
def test_a_file_that_changes_meanwhile_is_refused(
    typed: Staging, home: Path, data: bytes | None
) -> None:
    """What is stored is what was checked; the input and its file are named."""
    staged = stage(typed, image_url="cat.png")
    (home / "cat.png").write_bytes(data) if data else (home / "cat.png").unlink()
    with pytest.raises(Permanent, match=r'image_url "cat\.png"') as caught:
        typed.put(staged)
    assert "input_changed" == caught.value.reason
