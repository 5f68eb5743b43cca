"""From what fal rendered to what is published: one MP4 that plays everywhere, and its poster.

Delivery format: H.264 Baseline, Main or High, 4:2:0, 8 bits, with AAC or no audio, as `avc1` in
an MP4 whose header comes first. A stream that conforms is copied, packet for packet, whatever
container quirks it came with; any other is encoded, in the same run that makes the poster.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worker.failures import Permanent
from worker.ffmpeg import Ffmpeg
from worker.jpeg import size_of
from worker.mp4 import Probe, probe, read_tags
from worker.tags import Tags

__all__ = ["Delivery", "Tags", "deliver"]

VIDEO, POSTER = "video.mp4", "poster.jpg"
POSTER_WIDTH = 1280  # pixels, at most
POSTER_AT = 1.0  # seconds, or the middle of a shorter clip
_PROFILES = frozenset({"Baseline", "Main", "High"})
_AUDIO = frozenset({"AAC", "HE-AAC"})

# veryfast: "faster" and "fast" cost half as much again for a larger file at the same CRF.
_ENCODE_VIDEO = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-profile:v", "high")
_ENCODE_AUDIO = ("-c:a", "aac", "-b:a", "160k")
# 4:2:0 has no odd sizes: the last column and row go, nothing is resampled.
_EVEN = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0,format=yuv420p"
_SMALL = (
    f"scale=w='max(2,trunc(min({POSTER_WIDTH},iw*sar)/2)*2)':h='max(2,trunc(ow*ih/(iw*sar)/2)*2)'"
    ":out_range=full,setsar=1,format=yuvj420p"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was made and proven: `probe` is of `video`, `reasons` say why it was not just copied."""

    video: Path
    poster: Path
    method: Literal["copy", "transcode"]
    probe: Probe
    source: Probe
    reasons: tuple[str, ...]


def deliver(
    source: Path,
    into: Path,
    tags: Tags,
    *,
    ffmpeg: Ffmpeg,
    progress: Callable[[float], None] | None = None,
) -> Delivery:
    """Make `video.mp4` and `poster.jpg` of `source` in the directory `into`, and check both.

    Afterwards both lie there complete, tagged, of the source's length; after a failure nothing
    there may be used. A `source` whose headers are broken or hostile is refused before ffmpeg is
    started. `progress` gets the fraction done, at most twice a second, and 1 when all is checked.

    Raises `Permanent` (media_invalid, media_unsupported), `Transient` (media_timeout,
    media_crashed).
    """
    held = probe(source)
    pairs = tags.pairs(read_tags(source))
    into.mkdir(parents=True, exist_ok=True)
    for name in (VIDEO, POSTER):
        (into / name).unlink(missing_ok=True)
    arguments = _arguments(held, pairs, ffmpeg)
    ffmpeg.run(arguments, source=source, cwd=into, duration=held.duration, progress=progress)
    made = _verified(into, held, pairs)
    if progress:
        progress(1.0)
    reasons = (*_video_reasons(held), *_audio_reasons(held))
    return Delivery(
        video=into / VIDEO,
        poster=into / POSTER,
        method="transcode" if reasons else "copy",
        probe=made,
        source=held,
        reasons=reasons,
    )


def _video_reasons(held: Probe) -> tuple[str, ...]:
    """Why the video cannot be copied; empty where it conforms."""
    if held.fourcc != "avc1":
        return (f"the video is {held.codec} ({held.fourcc}), not H.264 (avc1)",)
    wrong = {
        f"the profile is {held.profile or 'unknown'}": held.profile not in _PROFILES,
        f"the samples have {held.bit_depth} bits, not 8": held.bit_depth != 8,  # noqa: PLR2004
        f"the chroma is {held.chroma}, not 4:2:0": held.chroma != "4:2:0",
    }
    return tuple(reason for reason, holds in wrong.items() if holds)


def _audio_reasons(held: Probe) -> tuple[str, ...]:
    if held.audio is None or held.audio in _AUDIO:
        return ()
    return (f"the audio is {held.audio}, not AAC",)


def _arguments(held: Probe, pairs: dict[str, str], ffmpeg: Ffmpeg) -> list[str]:
    """Both outputs in one run, so that the source is read and decoded once."""
    still = f"select=gte(n\\,{int(min(POSTER_AT * held.fps, held.frames / 2))}),{_SMALL}"
    if _video_reasons(held):
        graph = f"[0:V:0]split[full][one];[full]{_EVEN}[video];[one]{still}[still]"
        video = ["-map", "[video]", *_ENCODE_VIDEO, "-threads", str(ffmpeg.threads)]
    else:
        graph = f"[0:V:0]{still}[still]"
        video = ["-map", "0:V:0", "-c:v", "copy"]
    audio = ["-map", "0:a:0?", *(_ENCODE_AUDIO if _audio_reasons(held) else ("-c:a", "copy"))]
    bare = ["-map_metadata", "-1", "-map_chapters", "-1", "-dn", "-sn"]
    bounds = ["-t", f"{held.duration + 1:.3f}", "-fs", str(ffmpeg.limits.file_size)]
    # use_metadata_tags: without it the muxer drops every key that is not one of its own.
    written = [part for key, value in pairs.items() for part in ("-metadata", f"{key}={value}")]
    mp4 = ["-movflags", "+faststart+use_metadata_tags", "-f", "mp4", VIDEO]
    poster = ["-map", "[still]", *bare, "-frames:v", "1", "-q:v", "3"]
    poster += ["-c:v", "mjpeg", "-update", "1", "-f", "image2", POSTER]
    return ["-filter_complex", graph, *video, *audio, *bare, *bounds, *written, *mp4, *poster]


def _verified(into: Path, held: Probe, pairs: dict[str, str]) -> Probe:
    """The output's facts; ffmpeg's exit code of 0 proves none of them."""
    video, poster = into / VIDEO, into / POSTER
    if not video.is_file() or not poster.is_file():
        raise _unproven("an output is missing")
    try:
        made, found = probe(video), read_tags(video)
    except Permanent as failure:
        raise _unproven(failure.sentence) from failure
    copied = not _video_reasons(held)
    proofs = {
        f"it lasts {made.duration:.2f} s, not {held.duration:.2f} s": _lasts(made, held),
        f"{made.frames} of {held.frames} frames came through": not copied
        or made.frames == held.frames,
        "its header does not come first": made.faststart and not made.fragmented,
        "its audio is lost": (made.audio is None) == (held.audio is None),
        "it is not in the delivery format": not (_video_reasons(made) or _audio_reasons(made)),
        "its tags do not read back": all(found.get(key) == pairs[key] for key in pairs),
        "the poster is no picture of the right size": _fits(poster),
    }
    for sentence, holds in proofs.items():
        if not holds:
            raise _unproven(sentence)
    return made


def _unproven(sentence: str) -> Permanent:
    return Permanent("media_invalid", f"ffmpeg ended well, but what it made is wrong: {sentence}")


def _lasts(made: Probe, held: Probe) -> bool:
    return abs(made.duration - held.duration) <= max(0.2, 0.02 * held.duration)


def _fits(poster: Path) -> bool:
    width, height = size_of(poster)
    return 0 < width <= POSTER_WIDTH and height > 0
