"""The files of any result are found by walking it, and published unchanged."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.input_files import MP3, PNG
from worker.errors import Permanent
from worker.fal.download import Downloaded, Downloader
from worker.fal.result import by_published_name, files_of, video_address
from worker.jobs.job import Job, JobState
from worker.steps.passthrough import Passthrough, extra_files, unchanged_outputs
from worker.storage import Storage
from worker.storage.layout import work_key
from worker.types import Json

ON = "https://v3b.fal.media/files/b"
DATA = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        ({"images": [{"url": f"{ON}/1"}, {"url": f"{ON}/2"}]}, ["image-1.png", "image-2.png"]),
        ({"image": {"url": f"{ON}/x.webp"}}, ["image-1.webp"]),
        ({"audio": {"url": f"{ON}/a", "content_type": "audio/wav"}}, ["audio-1.wav"]),
        ({"audio": {"url": f"{ON}/a.bin", "file_name": "a.mp3"}}, ["audio-1.mp3"]),
        ({"a": {"b": [{"c": {"url": f"{ON}/deep.jpg"}}]}}, ["image-1.jpg"]),
        ({"mesh": {"url": f"{ON}/m.glb"}}, ["file-1.bin"]),
        ({"image": {"url": f"{ON}/e.png", "content_type": "text/html"}}, ["file-1.bin"]),
        ({"images": [{"url": DATA}]}, ["image-1.png"]),
        ({"image": {"url": f"{ON}/1"}, "again": {"url": f"{ON}/1"}}, ["image-1.png"]),
        ({"voice_id": "v", "seed": 7, "url": None, "x": {"url": ""}}, []),
        ([f"{ON}/1.jpeg", {"a": f"{ON}/2.opus"}], ["image-1.jpg", "audio-1.ogg"]),
        ({"image_urls": [f"{ON}/1", f"{ON}/1"]}, ["image-1.png"]),
        ({"image": DATA}, ["image-1.png"]),
        ({"text": "see https://fal.ai", "at": "ftp://fal.ai/1.png"}, []),
        ({"image": ON.replace("https:", "http:") + "/1"}, ["image-1.png"]),
        ({"image_url": ON.removeprefix("https:") + "/1.webp"}, ["image-1.webp"]),
        ({"notes": "// see //x.y/z", "and": "//", "or": "//comment"}, []),
        (json.dumps({"images": [{"url": f"{ON}/1"}]}), ["image-1.png"]),
        ({"output": f' [{{"url": "{ON}/1.webp"}}]'}, ["image-1.webp"]),
        ({"output": json.dumps(json.dumps([f"{ON}/1"]))}, []),
        ({"text": "[1] https://a.b/c", "of": "{not json", "deep": "[" * 9000}, []),
        ([], []),
        (None, []),
    ],
)
def test_files_are_found_anywhere_in_a_result(payload: Json, names: list[str]) -> None:
    """Files are named by their type in the result; an HTML page is never published as an image."""
    assert names == list(by_published_name(files_of(payload)))


@pytest.mark.parametrize(
    ("payload", "address"),
    [
        ({"video": {"url": f"{ON}/v"}}, f"{ON}/v"),
        ({"out": [{"url": f"{ON}/i.png"}, {"url": f"{ON}/v.mp4"}]}, f"{ON}/v.mp4"),
        ({"videos": [{"url": f"{ON}/1"}]}, f"{ON}/1"),
        ({"images": [{"url": f"{ON}/1"}]}, None),
        ({"clip": {"url": f"{ON}/v.webm"}}, None),
        ({"videos": [{"url": f"{ON}/1", "content_type": "application/mp4"}]}, f"{ON}/1"),
        ({"video": f"{ON}/v"}, f"{ON}/v"),
        ({"video_url": f"{ON}/v"}, f"{ON}/v"),
        ({"clips": {"out_urls": [f"{ON}/1.txt", f"{ON}/2.m4v"]}}, f"{ON}/2.m4v"),
        (f"{ON}/v.mp4", f"{ON}/v.mp4"),
        ({"video": {"url": f"{ON}/v.mov"}}, f"{ON}/v.mov"),
        ({"video": {"url": f"{ON}/v", "content_type": "video/x-odd"}}, f"{ON}/v"),
        (json.dumps({"video": {"url": f"{ON}/v"}}), f"{ON}/v"),
        ({"video": {"url": f"{ON}/v.webm"}}, None),
        ({"video": {"url": f"{ON}/v", "content_type": "video/webm"}}, None),
        ({"video": {"url": f"{ON}/v", "content_type": "image/gif"}}, None),
        ({"video": {"url": f"{ON}/v", "file_name": "v.gif"}, "b": {"url": f"{ON}/b.mp4"}}, None),
    ],
)
def test_the_video_of_a_result(payload: Json, address: str | None) -> None:
    """The video is `video`, else the first MP4; WebM, GIF and others are published unchanged."""
    assert address == video_address(payload)


def test_a_result_that_is_nested_too_deeply_has_no_files() -> None:
    """A result of any depth cannot break the walk."""
    payload: Json = {"url": f"{ON}/v.mp4"}
    for _ in range(5000):
        payload = [payload]
    assert () == files_of(payload)


LINKS = ["https://a.b/c.mp4", "data:video/mp4;base64,AA", "https://["]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text()
    | st.sampled_from(["https://a.b/c.mp4", "data:video/mp4;base64,AA", "https://["]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["url", "video", "content_type", "file_name"]) | st.text(), inner
        )
    ),
)


@given(JSON)
def test_no_result_breaks_the_walk(payload: Any) -> None:
    """Any JSON gives file names without a slash, or none."""
    for name, file in by_published_name(files_of(payload)).items():
        assert "/" not in name
        assert file.address
        assert "/" not in file.declared.settle(b"").extension


class _Cdn:
    """A stand-in for the downloader: bytes by URL."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def fetch(self, url: str, write: Callable[[Any], object], **_: object) -> Downloaded:
        data = self.files[url]
        write(iter([data]))
        digest = hashlib.sha256(data).hexdigest()
        return Downloaded(size=len(data), sha256=digest, content_type=None, resumed=0)


def passthrough(files: dict[str, bytes], tmp_path: Path) -> Passthrough:
    """A step over a CDN with these files and a storage in the test's directory."""
    downloader = cast(Downloader, _Cdn(files))
    return Passthrough(downloader=downloader, storage=Storage.open(str(tmp_path)))


def rendered(payload: Json) -> Job:
    """A job with this result."""
    return Job(id="j1", endpoint="acme/x", arguments={}, payload=payload)


def test_all_files_are_stored_and_described(tmp_path: Path) -> None:
    """Files are stored byte for byte, and recorded with name, type, size and hash."""
    payload: Json = {
        "images": [{"url": f"{ON}/1", "content_type": "image/png"}, {"url": DATA}],
        "audio": {"url": f"{ON}/a.mp3"},
    }
    step = passthrough({f"{ON}/1": PNG, f"{ON}/a.mp3": MP3}, tmp_path)
    outcome = step.download(rendered(payload), lambda _done, _total: None)
    assert JobState.DOWNLOADED is outcome.to
    source = cast(dict[str, Any], outcome.set["source"])
    expected = {
        "bytes": len(MP3),
        "sha256": hashlib.sha256(MP3).hexdigest(),
        "content_type": "audio/mpeg",
        "output": "audio",
    }
    assert ["image-1.png", "image-2.png", "audio-1.mp3"] == list(source["files"])
    assert expected == source["files"]["audio-1.mp3"]
    stored = [step.storage.read(work_key("j1", name)) for name in source["files"]]
    assert [PNG, PNG, MP3] == stored
    outputs = unchanged_outputs(Job(id="j1", endpoint="acme/x", arguments={}, source=source))
    assert {"method": "as_is", "files": source["files"]} == outputs


def test_files_next_to_a_video_are_published_with_it(tmp_path: Path) -> None:
    """A file that cannot be downloaded is recorded as skipped, and the video is still published."""
    payload: Json = {
        "video": {"url": f"{ON}/v.mp4"},
        "audio": {"url": f"{ON}/a.mp3"},
        "broken": {"url": "data:image/png;base64,!!"},
    }
    step = passthrough({f"{ON}/a.mp3": MP3}, tmp_path)
    records = step.download_extras(rendered(payload), f"{ON}/v.mp4", lambda _done, _total: None)
    expected = {"image-1.png": {"output": "broken", "reason": "bad_data_uri"}}
    assert expected == records["skipped"]
    assert MP3 == step.storage.read(work_key("j1", "audio-1.mp3"))
    job = Job(id="j1", endpoint="a/x", arguments={}, source={"sha256": "…", **records})
    assert unchanged_outputs(job) is None
    assert ["audio-1.mp3"] == list(extra_files(job))


def test_a_result_with_only_a_video_has_no_extra_records(tmp_path: Path) -> None:
    """Nothing is recorded for extra files if there are none."""
    payload: Json = {"video": {"url": f"{ON}/v.mp4"}, "seed": 7}
    step = passthrough({}, tmp_path)
    assert {} == step.download_extras(rendered(payload), f"{ON}/v.mp4", lambda _a, _b: None)


def test_a_video_has_no_unchanged_outputs() -> None:
    """The source of a video is one file, which the media step reads."""
    job = Job(id="j1", endpoint="acme/x", arguments={}, source={"bytes": 3, "sha256": "…"})
    assert unchanged_outputs(job) is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"image": {"url": "data:image/png;base64,!!"}}, "bad_data_uri"),
    ],
)
def test_unpublishable_results_are_refused(tmp_path: Path, payload: Any, reason: str) -> None:
    """A result of which no file can be had fails the job with a reason code."""
    with pytest.raises(Permanent) as caught:
        passthrough({}, tmp_path).download(rendered(payload), lambda _done, _total: None)
    assert reason == caught.value.reason


def test_a_result_without_files_is_published_itself(tmp_path: Path) -> None:
    """Nothing is fetched, and the outputs contain the result."""
    job = rendered({"voice_id": "v-829"})
    outcome = passthrough({}, tmp_path).download(job, lambda _done, _total: None)
    source = cast(dict[str, Any], outcome.set["source"])
    assert (JobState.DOWNLOADED, {"files": {}}) == (outcome.to, source)
    expected = {"method": "result", "files": {}, "result": {"voice_id": "v-829"}}
    assert expected == unchanged_outputs(replace(job, source=source))


@pytest.mark.parametrize(
    ("text", "is_file"),
    [
        ("https://v3b.fal.media/a b.mp4", True),
        (" https://v3b.fal.media/a\n", True),
        ("https://v3b.fal.media/a.mp4 is the video of a fox", False),
        ("https://v3b.fal.media/a.mp4\nhttps://v3b.fal.media/b", False),
    ],
)
def test_prose_that_begins_with_a_url_is_text(text: str, is_file: bool) -> None:
    """A bare text is a file only if all of it is one URL; otherwise it is the result itself."""
    assert is_file == bool(files_of({"output": text}))
