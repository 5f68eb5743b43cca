"""Verification of outputs: ffmpeg's exit code of 0 proves nothing about its files."""

from pathlib import Path

from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.images import size_of
from worker.formats.mp4 import ProbeResult, intact, probe
from worker.transcode.conformance import is_delivery_format
from worker.transcode.failed_extras import FailedExtras
from worker.transcode.outputs import (
    VIDEO,
    BlurHash,
    Hls,
    Look,
    Output,
    Preview,
    Rendition,
    Social,
    Still,
    Storyboard,
    Watch,
)
from worker.transcode.plan import Plan
from worker.transcode.profiles import Profile
from worker.transcode.social import as_uploaded, faults_of

_LONGEST_EDGE = 1.0  # seconds


def verification_failed(sentence: str) -> Permanent:
    """Return the failure of an output that is wrong although ffmpeg exited with 0."""
    return Permanent("media_invalid", f"ffmpeg exited with 0, but its output is wrong: {sentence}")


def verify_plan(plan: Plan, profile: Profile, directory: Path) -> dict[str, str]:
    """Verify the video and every planned output in `directory`.

    Return why extras failed, by file name. Raises `Permanent` (media_invalid) for other outputs.
    """
    copied = plan.master != "transcode"
    verify_video(directory / VIDEO, plan.source, copied=copied, lines=plan.lines)
    failed = FailedExtras(profile)
    for output in plan.outputs:
        with failed.allow_failure(output):
            verify_output(directory / output.file, output, plan.source)
    return failed.reasons


def verify_video(
    path: Path, source: ProbeResult, *, copied: bool, lines: int | None
) -> ProbeResult:
    """Probe the master at `path`; raise `Permanent` unless it is all of `source`.

    It may have `lines` lines at most.
    """
    video = _probe(path)
    _require(
        {
            f"{video.frames} of {source.frames} frames came through": not copied
            or source.shown_frames <= video.frames <= source.frames,
            **_is_whole(video, source),
            "packets of its video are not whole": not copied or intact(path),
            "it is not in the delivery format": is_delivery_format(video, lines),
        }
    )
    return video


def verify_output(path: Path, output: Output, source: ProbeResult) -> None:
    """Raise `Permanent` (media_invalid) unless the file at `path` is this output of `source`."""
    match output:
        case Rendition():
            _verify_rendition(_probe(path), output, source)
        case Social():
            _verify_social(_probe(path), output, source)
        case Preview():
            _verify_preview(_probe(path), output, source)
        case Still():
            width, height = _size(path)
            fits = 0 < width <= output.width and height > 0
            _require({f"{output.file} is not a picture of the right size": fits})
        case Storyboard():
            width, height = _size(path)
            fits = width == output.columns * output.width and height >= output.rows
            _require({f"{output.file} is not a picture of the right size": fits})
        case BlurHash():
            fits = path.is_file() and path.stat().st_size == 3 * output.side**2
            _require({"the picture for the BlurHash is missing": fits})
        case Hls() | Look() | Watch():
            pass  # not published, or built from finished renditions, and verified then


def _verify_rendition(video: ProbeResult, output: Rendition, source: ProbeResult) -> None:
    lines = min(output.lines, source.lines // 2 * 2)
    _require(
        {
            **_is_whole(video, source),
            **_is_sdr(video, output.file),
            f"{output.file} has {video.lines} lines, not {lines}": video.lines == lines,
            f"{output.file} is {video.codec} of {video.bit_depth} bits": video.fourcc
            == output.codec
            and (video.bit_depth, video.chroma) == (8, "4:2:0"),
        }
    )


def _verify_social(video: ProbeResult, output: Social, source: ProbeResult) -> None:
    _require(
        {
            **_is_whole(video, as_uploaded(source)),
            **_is_sdr(video, output.file),
            **faults_of(video, output, source),
        }
    )


def _verify_preview(video: ProbeResult, output: Preview, source: ProbeResult) -> None:
    seconds = min(output.seconds, source.duration)
    _require(
        {
            f"{output.file} lasts {video.duration:.2f} s, not {seconds:.2f} s": abs(
                video.duration - seconds
            )
            <= max(2 / output.fps, _edge(source)),
            **_is_sdr(video, output.file),
            f"{output.file} has sound": video.audio is None,
            f"{output.file} is wider than {output.width} pixels": video.width <= output.width,
        }
    )


def _is_sdr(video: ProbeResult, name: str) -> dict[str, bool]:
    beyond = video.colour.beyond_sdr
    return {f"the colours of {name} are {beyond}": not beyond}


def _is_whole(video: ProbeResult, source: ProbeResult) -> dict[str, bool]:
    edge = _edge(source)
    sound, expected = video.audio_seconds or 0.0, source.audio_seconds or 0.0
    return {
        f"it lasts {video.duration:.2f} s, not {source.duration:.2f} s": nearly_equal(
            video.duration, source.duration, edge
        ),
        "its audio is lost": (video.audio is None) == (source.audio is None),
        f"its audio lasts {sound:.2f} s, not {expected:.2f} s": nearly_equal(sound, expected),
        "picture and sound do not begin together": nearly_equal(video.lead, source.lead, edge),
        "it has less than half of the frames": 2 * video.frames >= source.shown_frames,
        "it is in fragments": not video.fragmented,
    }


def _edge(source: ProbeResult) -> float:
    """Return the tolerance in seconds for a frame that an edit list shows in part.

    ffmpeg shows such a frame whole, or not at all.
    """
    return min(source.longest, _LONGEST_EDGE)


def nearly_equal(seconds: float, expected: float, tolerance: float = 0.0) -> bool:
    """Return whether the durations differ by 0.2 s, 2 % or the tolerance at most."""
    return abs(seconds - expected) <= max(0.2, 0.02 * expected, tolerance)


def _probe(path: Path) -> ProbeResult:
    if not path.is_file():
        raise verification_failed("an output is missing")
    try:
        return probe(path)
    except (Permanent, MediaError) as failure:
        raise verification_failed(failure.sentence) from failure


def _size(path: Path) -> tuple[int, int]:
    if not path.is_file():
        raise verification_failed("an output is missing")
    return size_of(path)


def _require(checks: dict[str, bool]) -> None:
    for sentence, holds in checks.items():
        if not holds:
            raise verification_failed(sentence)
