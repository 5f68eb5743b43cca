"""What a result holds: files that fal rendered, or plain values such as the id of a voice."""

from collections.abc import Mapping

from worker.errors import Permanent
from worker.fal.result import OTHER, files_of
from worker.jobs.job import Job, JobState, Json
from worker.jobs.step import Outcome

# What the media step takes; other containers are published as they are.
_CLIPS = frozenset({"mp4", "mov"})


def video_address(payload: Json) -> str | None:
    """The address of the rendered video; None in a result of other files, or of none.

    A `video` of a kind that is said to be another, WebM or GIF, is published as it is, and so is
    all beside it. https://fal.ai/docs : a File has `url` and may lack everything else.
    """
    match payload:
        case {"video": {"url": str(address)} as video} if address:
            (file,) = files_of({"video": video})
            return address if file.media.extension in _CLIPS | {OTHER.extension} else None
    files = files_of(payload)
    return next((file.address for file in files if file.media.extension in _CLIPS), None)


def publishable(payload: Json, *, needs_file: bool) -> bool:
    """Whether the result holds a file, or, where none is needed, anything at all."""
    return bool(files_of(payload)) or (
        not needs_file and isinstance(payload, dict) and payload != {}
    )


def rendered(job: Job, payload: Json, told: Mapping[str, object]) -> Outcome:
    """RENDERED with the result on the record; FAILED where it holds nothing to publish.

    `told` is what else becomes known with it, the request id for one.
    """
    kept = {**told, "payload": payload}
    if not publishable(payload, needs_file=bool(job.needs_file)):
        return unrendered(_nothing(job), kept)
    return Outcome(
        to=JobState.RENDERED,
        set={**kept, "step": "", "reason": "", "sentence": ""},
        event={"request_id": str(told["request_id"])} if "request_id" in told else {},
    )


def unrendered(failure: Permanent, told: Mapping[str, object]) -> Outcome:
    """FAILED because fal has no result of this job, with fal's words."""
    why = {"step": "render", "reason": failure.reason, "sentence": failure.sentence}
    return Outcome(to=JobState.FAILED, set={**told, **why}, event=why)


def _nothing(job: Job) -> Permanent:
    if job.needs_file:
        sentence = "fal's result holds no video or other file with an address"
        return Permanent("no_video", sentence)
    return Permanent("no_result", "fal's result is empty")
