"""A video of a kind that is not handled is paid for all the same, and published as it is."""

import hashlib
from pathlib import Path
from typing import cast

import pytest

from tests.factories.clips import clip, ffmpeg, tags
from tests.factories.mp4_boxes import UNSUPPORTED
from tests.factories.world import VIDEO
from worker.formats.media_types import unsupported_video
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.steps.progress import Progress
from worker.steps.transcode_tag import TranscodeTag
from worker.storage import Storage
from worker.storage.layout import SOURCE, work_key
from worker.transcode.ffmpeg import Ffmpeg
from worker.types import Json

_TRACKS = (*("-map", "0:v") * 9, "-c", "copy")
_LONG = ("-vf", "setpts=PTS*1400", "-fps_mode", "vfr", "-c:v", "libx264", "-an")
_LARGE = ("-vf", "scale=4608:2592", "-frames:v", "1", "-c:v", "libx264", "-preset", "ultrafast")
_BARE = ("-map", "0:v", "-f", "mov", "-c:v")


def transcoded(source: Path, storage: Storage, records: JobStore) -> dict[str, Json]:
    """The outputs of a job whose result was this video, and a text beside it."""
    job_id = tags().job_id
    storage.put(work_key(job_id, SOURCE), source, content_type="video/mp4")
    beside: Json = {"video-1.bin": {"content_type": "text/plain", "bytes": 3}}
    job = Job(
        id=job_id,
        endpoint="acme/x",
        arguments={},
        payload=VIDEO,
        state=JobState.DOWNLOADED,
        source={"sha256": "…", "files": beside},
    )
    # No such program: nothing of what is not handled is shown to a decoder.
    unstartable = Ffmpeg(path=source.with_name("no-such-program"), by_descriptor=True)
    step = TranscodeTag(storage=storage, ffmpeg=unstartable, progress=Progress(records))
    outcome = step.work(job)
    assert (JobState.TAGGED, "as_is") == (outcome.to, outcome.event["method"])
    return cast(dict[str, Json], outcome.set["outputs"])


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        ((*_BARE, "qtrle"), ("video-2.mov", "video/quicktime", "codec")),
        ((*_BARE, "png"), ("video-2.mov", "video/quicktime", "codec")),
        ((*_BARE, "mjpeg"), ("video-2.mov", "video/quicktime", "codec")),
        (("-c:v", "libvpx-vp9", "-f", "webm"), ("video-2.webm", "video/webm", "WebM")),
        (("-f", "gif"), ("image-1.gif", "image/gif", "GIF")),
        (("-vn", "-f", "mp4"), ("video-2.mp4", "video/mp4", "no video track")),
        (("-f", "mpegts"), ("video-2.ts", "video/mp2t", "transport stream")),
        (("-f", "mpeg"), ("video-2.mpg", "video/mpeg", "program stream")),
        (("-f", "asf"), ("video-2.asf", "video/x-ms-asf", "Windows Media")),
        ((*_TRACKS, "-f", "mp4"), ("video-2.mp4", "video/mp4", "9 tracks")),
        ((*_LONG, "-f", "mp4"), ("video-2.mp4", "video/mp4", "at most 600 s")),
        ((*_LARGE, "-f", "mp4"), ("video-2.mp4", "video/mp4", "4608x2592")),
    ],
)
def test_it_is_published(
    encoded: tuple[str, ...], expected: tuple[str, str, str], records: JobStore, tmp_path: Path
) -> None:
    """Under a name of its kind, with the reason, its hash, and what else the result held."""
    name, kind, words = expected
    source, storage = tmp_path / "source", Storage.open(str(tmp_path / "storage"))
    ffmpeg("-i", str(clip("short")), *encoded, str(source))
    outputs = transcoded(source, storage, records)
    files = cast(dict[str, dict[str, Json]], outputs["files"])
    assert ["video-1.bin", name] == list(files)
    assert words in cast(str, outputs["reason"])
    assert (kind, "video") == (files[name]["content_type"], files[name]["output"])
    data = storage.read(work_key("job-1", name)) or b""
    assert hashlib.sha256(data).hexdigest() == files[name]["sha256"]
    assert files[name].get("tagged") or source.read_bytes() == data


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_whatever_is_not_handled(name: str, records: JobStore, tmp_path: Path) -> None:
    """Every file that passes the preflight is published, even if the media step rejects it."""
    make, words = UNSUPPORTED[name]
    source, storage = tmp_path / "source", Storage.open(str(tmp_path / "storage"))
    source.write_bytes(make())
    outputs = transcoded(source, storage, records)
    assert words in cast(str, outputs["reason"])
    assert 2 == len(cast(dict[str, Json], outputs["files"]))


@pytest.mark.parametrize("head", [b"The wide road", b"so skip it", b"\0\0\1\0"])
def test_a_text_is_not_an_unsupported_video(head: bytes) -> None:
    """A text is not a video, even if its words are where a box would have its name."""
    assert unsupported_video(head) is None
