"""A paid clip is never lost: what our tools cannot make is missing, and said; the clip is there."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.factories.attacks import TORN
from tests.factories.clips import clip
from tests.factories.world import VIDEO, World, callback
from webhook.contract import Task
from worker.errors import Failure, Permanent, Transient
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.step import MAX_WAITS
from worker.jobs.store import JobStore
from worker.pipeline import RESCUES, STEPS
from worker.provenance import Signer
from worker.provenance.development_certificate import CHAIN, KEY, make_chain
from worker.steps.media_config import MediaConfig
from worker.steps.progress import Progress
from worker.steps.transcode_tag import TranscodeTag
from worker.storage import Storage
from worker.storage.layout import SOURCE, work_key
from worker.transcode.ffmpeg import Ffmpeg, Isolation
from worker.types import Json

S = JobState
# An ffmpeg that only decodes: everything that it is to write fails.
DECODES = """#!/bin/sh
case "$*" in *"-f null -"*) exec {ffmpeg} "$@";; esac
exit 234
"""


def step(storage: Storage, records: JobStore, ffmpeg: Ffmpeg, config: MediaConfig) -> TranscodeTag:
    return TranscodeTag(storage=storage, ffmpeg=ffmpeg, progress=Progress(records), config=config)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Storage in a directory of its own."""
    return Storage.open(str(tmp_path / "storage"))


@pytest.fixture
def broken(tmp_path: Path) -> Ffmpeg:
    """An ffmpeg that can read every clip and write none."""
    real = Ffmpeg.find(None)
    script = tmp_path / "ffmpeg"
    script.write_text(DECODES.format(ffmpeg=real.path))
    script.chmod(0o755)
    return replace(real, path=script, isolation=Isolation.NONE)


def world_with(world: World, media: TranscodeTag, source: bytes) -> World:
    """A pipeline with this step, and a job whose source is in storage."""
    world.work[Task.TRANSCODE_TAG] = media.work
    world.rescues[Task.TRANSCODE_TAG] = media.rescue
    world.work[Task.DOWNLOAD] = lambda _job: Outcome(
        to=S.DOWNLOADED, set={"source": {"bytes": len(source), "sha256": "…"}}
    )
    media.storage.put(work_key("job1", SOURCE), source, content_type="video/mp4")
    world.add_submitted()
    world.deliver(callback())
    return world


def finish(world: World) -> Job:
    """Go on until the job has ended."""
    for _ in range(40):
        world.follow_wakes()
        world.clock.forward(1000)
        world.sweep.run()
    return world.job()


def test_a_whole_clip_is_published_as_it_came(
    world: World, storage: Storage, records: JobStore, broken: Ffmpeg
) -> None:
    """What our ffmpeg cannot process but decodes is published unchanged but for tags, and why."""
    source = clip("hevc").read_bytes()
    job = finish(world_with(world, step(storage, records, broken, MediaConfig()), source))
    assert (S.PUBLISHED, "as_is") == (job.state, job.outputs["method"])
    assert "exit code 234" in str(job.outputs["reason"])
    (about,) = cast(dict[str, dict[str, Json]], job.outputs["files"]).values()
    assert ("video/mp4", True) == (about["content_type"], about["tagged"])


@pytest.mark.parametrize("name", TORN)
def test_what_is_torn_still_fails(
    world: World, storage: Storage, records: JobStore, broken: Ffmpeg, name: str
) -> None:
    """A clip with a hole is not whole, whatever is wrong with our tools."""
    job = finish(world_with(world, step(storage, records, broken, MediaConfig()), TORN[name]()))
    assert (S.FAILED, "media_invalid") == (job.state, job.reason)


def test_a_cut_clip_still_fails(
    world: World, storage: Storage, records: JobStore, broken: Ffmpeg
) -> None:
    """It is refused before any tool sees it."""
    source = clip("high").read_bytes()
    media = step(storage, records, broken, MediaConfig())
    job = finish(world_with(world, media, source[: len(source) // 2]))
    assert (S.FAILED, "media_invalid") == (job.state, job.reason)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A development certificate."""
    made = make_chain(tmp_path / "chain")
    return Signer.load(made[CHAIN], key=made[KEY], command="", tsa="", anchors="")


@pytest.mark.skipif(importlib.util.find_spec("c2pa") is None, reason="c2pa-python is missing")
@pytest.mark.parametrize(
    "failure",
    [
        Permanent("signing_refused", "the certificate is refused"),
        Transient("timestamp_unavailable", "no time stamp"),
        Transient("signing_failed", "the command fails"),
    ],
)
def test_without_a_signature(
    world: World, records: JobStore, storage: Storage, signer: Signer, failure: Failure
) -> None:
    """A clip that cannot be signed, now or within the waits, is published whole and unsigned.

    Each try transcodes once, and none is added to leave the signature out.
    """
    tries: list[Failure] = []

    def fails(*_: object, **__: object) -> object:
        tries.append(failure)
        raise failure

    media = step(storage, records, Ffmpeg.find(None), MediaConfig(signer=signer))
    ran: list[Job] = []
    world = world_with(world, media, clip("high").read_bytes())

    def work(job: Job) -> Outcome:
        ran.append(job)
        return media.work(job)

    world.work[Task.TRANSCODE_TAG] = work
    world.rescues.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.transcode.signing.sign_delivery", fails)
        job = finish(world)
    assert [failure] * len(ran) == tries
    assert (1 if isinstance(failure, Permanent) else MAX_WAITS) == len(ran)
    assert (S.PUBLISHED, "copy") == (job.state, job.outputs["method"])
    expected = {"state": "unsigned", "reason": failure.reason, "sentence": failure.sentence}
    assert expected == job.outputs["provenance"]


def test_files_without_a_video_are_there(
    world: World, storage: Storage, records: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures that cannot be tagged after all tries are published as they came."""

    def crash(*_: object, **__: object) -> object:
        raise RuntimeError("a bug")

    monkeypatch.setattr("worker.steps.transcode_tag.tag_files", crash)
    media = step(storage, records, Ffmpeg.find(None), MediaConfig())
    world_with(world, media, b"")
    files: Json = {"image-1.png": {"bytes": 3, "content_type": "image/png"}}
    world.work[Task.DOWNLOAD] = lambda _job: Outcome(
        to=S.DOWNLOADED, set={"source": {"files": files}}
    )
    job = finish(world)
    assert S.PUBLISHED == job.state
    assert "crashed" not in json.dumps(job.reason)
    assert "untagged" in json.dumps(job.outputs["files"])


@pytest.mark.parametrize(
    "rescue",
    [
        lambda _job, _failure: None,
        lambda _job, _failure: 1 / 0,
    ],
)
def test_a_rescue_that_fails(world: World, rescue: Callable[..., Outcome | None]) -> None:
    """The job then fails with its own reason."""

    def fail(_job: Job) -> Outcome:
        raise Permanent("media_invalid", "it is broken")

    world.work[Task.TRANSCODE_TAG] = fail
    world.rescues[Task.TRANSCODE_TAG] = rescue
    world.add_submitted()
    world.deliver(callback())
    job = finish(world)
    assert (S.FAILED, "media_invalid", VIDEO) == (job.state, job.reason, job.payload)


def test_a_rescue_that_kills_its_worker(world: World) -> None:
    """It is tried a few times, not for ever."""
    started: list[int] = []

    class Killed(BaseException):
        pass

    def die(job: Job, *_: object) -> Outcome:
        started.append(job.tries)
        raise Killed

    world.work[Task.TRANSCODE_TAG] = die
    world.rescues[Task.TRANSCODE_TAG] = die
    world.add_submitted()
    world.deliver(callback())
    world.pipeline.run(Task.DOWNLOAD, "job1")
    for _ in range(3 + RESCUES):
        with pytest.raises(Killed):
            world.pipeline.run(Task.TRANSCODE_TAG, "job1")
        world.clock.forward(1000)
    assert S.FAILED == finish(world).state
    assert 3 + RESCUES == len(started)


def test_only_waits_end_without_a_signature() -> None:
    """In the pipeline's table these failures count as waits, as the step's last try assumes."""
    (row,) = (row for row in STEPS if row.task is Task.TRANSCODE_TAG)
    assert {"signing_failed", "timestamp_unavailable"} <= row.waits_for
