"""What transcode-tag leaves in storage, and what the manifest says of it."""

import hashlib
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.factories.clips import clip, tags
from tests.factories.listed import history_of
from tests.factories.world import ManualClock
from worker.errors import Permanent
from worker.formats.mp4 import read_tags
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.provenance import Signer
from worker.provenance.development_certificate import CHAIN, KEY, make_chain
from worker.provenance.reader import show
from worker.steps.media_config import MediaConfig
from worker.steps.progress import INTERVAL, Progress
from worker.steps.publish import Publish
from worker.steps.transcode_tag import TranscodeTag
from worker.storage import Storage
from worker.storage.layout import SOURCE, work_key
from worker.transcode.ffmpeg import Advance, Ffmpeg, ResourceUsage
from worker.transcode.loudness_target import LOUDNESS_KEY
from worker.transcode.profiles import PROFILE_KEY, Profile
from worker.types import Json


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Storage in a directory of its own."""
    return Storage.open(str(tmp_path / "storage"))


def downloaded(storage: Storage, **metadata: Json) -> Job:
    """A job whose source is in storage."""
    made, source = tags(), clip("tall")
    storage.put(work_key(made.job_id, SOURCE), source, content_type="video/mp4")
    return Job(
        id=made.job_id,
        endpoint=made.endpoint,
        request_id=made.request_id,
        arguments={"prompt": "a fox"},
        metadata=metadata,
        created_at=made.created.timestamp(),
        state=JobState.DOWNLOADED,
        source={"bytes": source.stat().st_size, "cost": ResourceUsage(wall=1.5).record()},
    )


def step(storage: Storage, records: JobStore, config: MediaConfig) -> TranscodeTag:
    return TranscodeTag(
        storage=storage,
        ffmpeg=Ffmpeg.find(None),
        progress=Progress(records),
        config=config,
    )


def manifest(job: Job, storage: Storage, records: JobStore, config: MediaConfig) -> dict[str, Json]:
    """What is published of the job."""
    outcome = step(storage, records, config).work(job)
    assert JobState.TAGGED is outcome.to
    outputs = cast(dict[str, Json], outcome.set["outputs"])
    published = Publish(storage=storage, store=records).work(replace(job, outputs=outputs))
    found: dict[str, Json] = json.loads(Path(published.event["manifest"]).read_text())
    return found


def test_the_manifest_tells_all(storage: Storage, records: JobStore, tmp_path: Path) -> None:
    """Profile, files with their hashes, blurhash, provenance, and the cost of each step."""
    config = MediaConfig(profile=Profile.parse("web+720p+preview+storyboard+blurhash"))
    found = manifest(downloaded(storage), storage, records, config)
    assert ("copy", "web+720p+preview+storyboard+blurhash") == (found["method"], found["profile"])
    assert (["video-720p.mp4"], {"state": "unsigned"}) == (found["skipped"], found["provenance"])
    assert isinstance(found["blurhash"], str)
    files = cast(dict[str, dict[str, Json]], found["files"])
    place = tmp_path / "storage" / "published" / "job-1"
    for name, about in files.items():
        data = (place / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (about["bytes"], about["sha256"])
    assert sorted([*files, "manifest.json"]) == sorted(path.name for path in place.iterdir())
    assert "text/vtt" == files["storyboard.vtt"]["content_type"]
    assert "a fox" not in json.dumps(found)


@pytest.mark.skipif(importlib.util.find_spec("c2pa") is None, reason="c2pa-python is missing")
def test_what_is_not_signed_is_told(storage: Storage, records: JobStore, tmp_path: Path) -> None:
    """Fragments, playlists and texts of a signed delivery have no credentials, and say why."""
    made = make_chain(tmp_path / "chain")
    credentials = Signer.load(made[CHAIN], key=made[KEY], command="", tsa="", anchors="")
    profile = Profile.parse("original+360p+storyboard+hls")
    config = MediaConfig(profile=profile, signer=credentials)
    found = manifest(downloaded(storage), storage, records, config)
    assert "signed" == cast(dict[str, Json], found["provenance"])["state"]
    files = cast(dict[str, dict[str, Json]], found["files"])
    told = {Path(name).suffix for name, about in files.items() if "not signed" in str(about)}
    assert {".vtt", ".m3u8", ".m4s"} == told
    for name, about in files.items():
        shown = Path(name).suffix in told or show(
            tmp_path / "storage" / "published" / "job-1" / name
        )
        assert shown, name
        assert ("unsigned" in about) == (Path(name).suffix in told)


def test_the_cost_of_each_step(storage: Storage, records: JobStore) -> None:
    """Seconds, memory and bytes in and out of download, transcode-tag with its parts, publish."""
    found = manifest(downloaded(storage), storage, records, MediaConfig())
    cost = cast(dict[str, dict[str, Json]], found["cost"])
    assert ["download", "transcode_tag", "publish"] == list(cost)
    assert {"cpu", "wall", "memory", "bytes_in", "bytes_out"} <= set(cost["transcode_tag"])
    assert 1.5 == cost["download"]["wall"]
    parts = cast(dict[str, dict[str, float]], cost["transcode_tag"]["parts"])
    assert {"fetch", "ffmpeg", "store"} < set(parts)
    size = clip("tall").stat().st_size
    assert [size, size] == [parts[part]["bytes_in"] for part in ("fetch", "ffmpeg")]
    assert parts["store"]["bytes_out"] == cost["publish"]["bytes_out"]
    assert parts["ffmpeg"]["cpu"] > 0
    assert "cost" not in cast(dict[str, Json], found["source"])


def test_a_job_asks_for_its_own_profile(
    storage: Storage, records: JobStore, tmp_path: Path
) -> None:
    """Its metadata goes before the setting; the tags are the job's."""
    job = downloaded(storage, **{PROFILE_KEY: "original+webp", "title": "Snow"})
    found = manifest(job, storage, records, MediaConfig(profile=Profile.parse("web+preview")))
    assert ["video.mp4", "poster.jpg", "poster.webp"] == list(cast(dict[str, Json], found["files"]))
    place = tmp_path / "storage" / "published" / "job-1"
    assert "Snow" == read_tags(place / "video.mp4")["title"]


def test_a_job_asks_for_a_loudness(storage: Storage, records: JobStore) -> None:
    """The manifest has the loudness of the source and that of the published video."""
    job = downloaded(storage, **{LOUDNESS_KEY: -23})
    video = cast(dict[str, Json], manifest(job, storage, records, MediaConfig())["video"])
    about = cast(dict[str, Json], video["normalisation"])
    assert -23.0 == about["target_lufs"]
    assert about["source"] != video["loudness"]
    loudness = cast(dict[str, float], video["loudness"])
    assert pytest.approx(-23.0, abs=1.0) == loudness["integrated_lufs"]


def test_an_unknown_profile_is_permanent(storage: Storage, records: JobStore) -> None:
    """A job that got past the check with a profile that is not fails for good, with the list."""
    job = downloaded(storage, **{PROFILE_KEY: "hd"})
    with pytest.raises(Permanent, match="unknown_profile"):
        step(storage, records, MediaConfig()).work(job)


def test_progress_is_on_the_event_stream(records: JobStore) -> None:
    """Fraction, frames, their rate and the seconds left are told, at a sane rate."""
    made = tags()
    job = Job(id=made.job_id, endpoint=made.endpoint, arguments={})
    records.add(job, due=0, event={"name": "created", "step": "test"})
    clock = iter([0.0, *(number / 10 for number in range(1, 200))])
    tell = Progress(records, clock=lambda: next(clock)).encoding(job, "falhook.transcode_tag")
    for frame in range(50):
        tell(Advance(fraction=frame / 50, frames=frame, fps=12.5, left=3.25))
    told = [event for event in history_of(records, job.id) if event["name"] == "progress"]
    assert 1 <= len(told) <= 20 / INTERVAL
    assert ("12.5", "3.2") == (told[0]["fps"], told[0]["left"])
    assert float(told[0]["fraction"]) == pytest.approx(int(told[0]["frames"]) / 50, abs=0.01)


def test_a_download_tells_what_is_left(records: JobStore) -> None:
    """By the rate so far; nothing where the size is not known."""
    made, now = tags(), ManualClock(0.0)
    job = Job(id=made.job_id, endpoint=made.endpoint, arguments={})
    records.add(job, due=0, event={"name": "created", "step": "test"})
    tell = Progress(records, clock=now).bytes(job, "falhook.download")
    now.forward(30.0)
    tell(5_000, None)
    tell(25_000, 100_000)
    told = [event for event in history_of(records, job.id) if event["name"] == "progress"]
    assert [("0.250", "90.0")] == [(event["fraction"], event["left"]) for event in told]
