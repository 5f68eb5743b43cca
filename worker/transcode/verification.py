"""That an output is what was asked for; ffmpeg's exit code of 0 proves none of it."""

from pathlib import Path

from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.images import size_of
from worker.formats.mp4 import ProbeResult, intact, probe
from worker.transcode.conformance import audio_reasons, video_reasons
from worker.transcode.outputs import BlurHash, Hls, Output, Preview, Rendition, Still, Storyboard

_LONGEST_EDGE = 1.0  # seconds


def verification_failed(sentence: str) -> Permanent:
    """The failure of an output that is wrong although ffmpeg ended well."""
    return Permanent("media_invalid", f"ffmpeg ended well, but what it made is wrong: {sentence}")


def verify_video(
    path: Path, source: ProbeResult, *, copied: bool, lines: int | None
) -> ProbeResult:
    """The facts of the master at `path`, made of `source` with at most `lines` lines."""
    made = _probed(path)
    _require(
        {
            f"{made.frames} of {source.frames} frames came through": not copied
            or source.shown_frames <= made.frames <= source.frames,
            **_whole(made, source),
            "packets of its video are not whole": not copied or intact(path),
            "it is not in the delivery format": not (
                video_reasons(made, lines) or audio_reasons(made)
            ),
        }
    )
    return made


def verify_output(path: Path, asked: Output, source: ProbeResult) -> None:
    """Return if the file at `path` is this output of `source`."""
    match asked:
        case Rendition():
            _rendition(_probed(path), asked, source)
        case Preview():
            _preview(_probed(path), asked, source)
        case Still():
            width, height = _size(path)
            fits = 0 < width <= asked.width and height > 0
            _require({f"{asked.file} is no picture of the right size": fits})
        case Storyboard():
            width, height = _size(path)
            fits = width == asked.columns * asked.width and height >= asked.rows
            _require({f"{asked.file} is no picture of the right size": fits})
        case BlurHash():
            fits = path.is_file() and path.stat().st_size == 3 * asked.side**2
            _require({"the picture for the hash is missing": fits})
        case Hls():
            pass  # made, and proven, of finished renditions


def _rendition(made: ProbeResult, asked: Rendition, source: ProbeResult) -> None:
    lines = min(asked.lines, source.lines // 2 * 2)
    _require(
        {
            **_whole(made, source),
            **_light(made, asked.file),
            f"{asked.file} has {made.lines} lines, not {lines}": made.lines == lines,
            f"{asked.file} is {made.codec} of {made.bit_depth} bits": made.fourcc == asked.codec
            and (made.bit_depth, made.chroma) == (8, "4:2:0"),
        }
    )


def _preview(made: ProbeResult, asked: Preview, source: ProbeResult) -> None:
    lasting = min(asked.seconds, source.duration)
    _require(
        {
            f"{asked.file} lasts {made.duration:.2f} s, not {lasting:.2f} s": abs(
                made.duration - lasting
            )
            <= max(2 / asked.fps, _edge(source)),
            **_light(made, asked.file),
            f"{asked.file} has sound": made.audio is None,
            f"{asked.file} is wider than {asked.width} pixels": made.width <= asked.width,
        }
    )


def _light(made: ProbeResult, name: str) -> dict[str, bool]:
    return {f"the colours of {name} are {made.colour.beyond_sdr}": not made.colour.beyond_sdr}


def _whole(made: ProbeResult, source: ProbeResult) -> dict[str, bool]:
    edge = _edge(source)
    sound, heard = made.audio_seconds or 0.0, source.audio_seconds or 0.0
    return {
        f"it lasts {made.duration:.2f} s, not {source.duration:.2f} s": _near(
            made.duration, source.duration, edge
        ),
        "its audio is lost": (made.audio is None) == (source.audio is None),
        f"its audio lasts {sound:.2f} s, not {heard:.2f} s": _near(sound, heard),
        "picture and sound begin apart": _near(made.lead, source.lead, edge),
        "it has no frames to speak of": 2 * made.frames >= source.shown_frames,
        "it is in fragments": not made.fragmented,
    }


def _edge(source: ProbeResult) -> float:
    """Seconds that may miss: ffmpeg shows a frame of which an edit shows a part whole, or not."""
    return min(source.longest, _LONGEST_EDGE)


def _near(made: float, source: float, edge: float = 0.0) -> bool:
    return abs(made - source) <= max(0.2, 0.02 * source, edge)


def _probed(path: Path) -> ProbeResult:
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


def _require(proofs: dict[str, bool]) -> None:
    for sentence, holds in proofs.items():
        if not holds:
            raise verification_failed(sentence)
