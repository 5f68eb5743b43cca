"""Conformance of streams to the delivery format, in which they are copied.

Delivery format: H.264 Baseline, Main or High, 4:2:0, 8 bits, SDR, with AAC or no audio.
"""

from collections.abc import Mapping

from worker.formats.mp4 import ProbeResult
from worker.transcode.web_limits import excesses

_PROFILES = frozenset({"Baseline", "Main", "High"})
_AUDIO = frozenset({"AAC", "HE-AAC"})


def encoding_reasons(source: ProbeResult, lines: int | None) -> tuple[str, ...]:
    """Return why the video or the audio cannot be copied; empty if both conform."""
    return (*video_reasons(source, lines), *audio_reasons(source))


def is_delivery_format(video: ProbeResult, lines: int | None) -> bool:
    """Return whether both streams are in the delivery format, of any bit rate."""
    return not (*_format_reasons(video, lines), *audio_reasons(video))


def video_reasons(source: ProbeResult, lines: int | None = None) -> tuple[str, ...]:
    """Return why the video cannot be copied; empty if it conforms.

    With a bound of `lines` it is for the web, whose players do not deinterlace, and have limits.
    """
    reasons = _format_reasons(source, lines)
    if lines is None or reasons:
        return reasons
    return _applicable(excesses(source))


def _format_reasons(source: ProbeResult, lines: int | None) -> tuple[str, ...]:
    beyond = source.colour.beyond_sdr
    light = {
        f"the colours are {beyond}, not SDR": beyond is not None,
        f"the video {source.pieced}": source.pieced is not None,
    }
    if source.fourcc != "avc1":
        codec = f"the video is {source.codec} ({source.fourcc}), not H.264 (avc1)"
        return _applicable({codec: True, **light})
    return _applicable(
        {
            f"the profile is {source.profile or 'unknown'}": source.profile not in _PROFILES,
            f"the samples have {source.bit_depth} bits, not 8": source.bit_depth != 8,  # noqa: PLR2004
            f"the chroma is {source.chroma}, not 4:2:0": source.chroma != "4:2:0",
            **light,
            "its pictures are interlaced": lines is not None and source.interlaced,
            f"it has {source.lines} lines, more than {lines}": lines is not None
            and source.lines > lines,
        }
    )


def audio_reasons(source: ProbeResult) -> tuple[str, ...]:
    """Return why the audio cannot be copied; empty if it conforms, or there is none."""
    if not source.audio:
        return ()
    return _applicable(
        {
            f"the audio is {source.audio}, not AAC": source.audio not in _AUDIO,
            f"the audio {source.audio_pieced}": source.audio_pieced is not None,
        }
    )


def _applicable(reasons: Mapping[str, bool]) -> tuple[str, ...]:
    return tuple(reason for reason, applies in reasons.items() if applies)
