"""What a result holds: the files that fal rendered."""

from collections.abc import Mapping

from worker.failures import Permanent
from worker.jobs import JobState, Json
from worker.outputs import files_of
from worker.step import Outcome

# What the media step takes; other containers are published as they are.
_CLIPS = frozenset({"mp4", "mov"})


def video_address(payload: Json) -> str | None:
    """The address of the rendered video; None in a result of other files.

    https://fal.ai/docs : a File has `url` and may lack everything else. Raises Permanent
    ("no_video") where the result holds no file at all.
    """
    match payload:
        case {"video": {"url": str(address)}} if address:
            return address
    files = files_of(payload)
    if not files:
        raise Permanent("no_video", "fal's result holds no video or other file with an address")
    return next((file.address for file in files if file.media.extension in _CLIPS), None)


def rendered(payload: Json, told: Mapping[str, object]) -> Outcome:
    """RENDERED with the result on the record; FAILED where it holds no video.

    `told` is what else becomes known with it, the request id for one.
    """
    kept = {**told, "payload": payload}
    try:
        video_address(payload)
    except Permanent as failure:
        return unrendered(failure, kept)
    return Outcome(
        to=JobState.RENDERED,
        set={**kept, "step": "", "reason": "", "sentence": ""},
        event={"request_id": str(told["request_id"])} if "request_id" in told else {},
    )


def unrendered(failure: Permanent, told: Mapping[str, object]) -> Outcome:
    """FAILED because fal has no video of this job, with fal's words."""
    why = {"step": "render", "reason": failure.reason, "sentence": failure.sentence}
    return Outcome(to=JobState.FAILED, set={**told, **why}, event=why)
