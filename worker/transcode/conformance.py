"""Which streams are delivered as they are, and why another is not.

Delivery format: H.264 Baseline, Main or High, 4:2:0, 8 bits, SDR, with AAC or no audio.
"""

from collections.abc import Mapping

from worker.formats.mp4 import ProbeResult

_PROFILES = frozenset({"Baseline", "Main", "High"})
_AUDIO = frozenset({"AAC", "HE-AAC"})


def video_reasons(held: ProbeResult, lines: int | None = None) -> tuple[str, ...]:
    """Why the video cannot be copied; empty where it conforms.

    With a bound of `lines` it is for the web, whose players show interlaced pictures as they are.
    """
    beyond = held.colour.beyond_sdr
    light = {
        f"the colours are {beyond}, not SDR": beyond is not None,
        f"the video {held.pieced}": held.pieced is not None,
    }
    if held.fourcc != "avc1":
        wrong = {f"the video is {held.codec} ({held.fourcc}), not H.264 (avc1)": True, **light}
        return _those(wrong)
    wrong = {
        f"the profile is {held.profile or 'unknown'}": held.profile not in _PROFILES,
        f"the samples have {held.bit_depth} bits, not 8": held.bit_depth != 8,  # noqa: PLR2004
        f"the chroma is {held.chroma}, not 4:2:0": held.chroma != "4:2:0",
        **light,
        "its pictures are interlaced": lines is not None and held.interlaced,
        f"it has {held.lines} lines, more than {lines}": lines is not None and held.lines > lines,
    }
    return _those(wrong)


def audio_reasons(held: ProbeResult) -> tuple[str, ...]:
    """Why the audio cannot be copied; empty where it conforms, or there is none."""
    wrong = {
        f"the audio is {held.audio}, not AAC": held.audio not in _AUDIO,
        f"the audio {held.audio_pieced}": held.audio_pieced is not None,
    }
    return _those(wrong) if held.audio else ()


def _those(wrong: Mapping[str, bool]) -> tuple[str, ...]:
    return tuple(reason for reason, holds in wrong.items() if holds)
