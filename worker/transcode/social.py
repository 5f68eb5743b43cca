"""What the uploads of social networks require of a video: a usual, constant frame rate and stereo.

Rates: https://support.google.com/youtube/answer/1722171. Sound: stereo at 48 kHz, silent if the
clip has none.
"""

import math
from dataclasses import replace
from fractions import Fraction

from worker.formats.mp4 import ProbeResult
from worker.transcode.outputs import Social

SILENCE = "silence"  # the label of the sound of a clip that has none
_NTSC = Fraction(1000, 1001)
_RATES = tuple(
    sorted(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60, 24 * _NTSC, 30 * _NTSC, 60 * _NTSC))
)
_UNEVEN = 0.01  # of a frame's duration: clocks of whole ticks round
STEREO = 2  # channels


def constant_rate(source: ProbeResult) -> Fraction:
    """Return the usual rate that is nearest to the source's average, at most 60 a second.

    Each frame of a slower source is shown several times, equally often if a usual rate allows
    that: 16 a second become 48.
    """
    least = max(1, math.ceil(round(float(_RATES[0]) / source.fps, 3)))
    most = least if least == 1 else max(least, int(_RATES[-1] / source.fps))
    nearest = (_nearest(times * source.fps) for times in range(least, most + 1))
    return min(nearest)[1]


def _nearest(fps: float) -> tuple[int, Fraction]:
    """Return the nearest usual rate, after its distance in per cent of `fps`."""
    rate = min(_RATES, key=lambda rate: abs(rate - fps))
    return round(100 * abs(rate / fps - 1)), rate


def lines_of(output: Social, source: ProbeResult) -> int:
    """Return the lines of the output: those of its source, an even number, within the limit."""
    return min(output.lines, source.lines // 2 * 2)


def stereo(output: Social) -> str:
    """Return the filter that makes any sound stereo, at the output's sample rate."""
    return f"aformat=sample_rates={output.sample_rate}:channel_layouts=stereo"


def silence(output: Social, source: ProbeResult) -> str:
    """Return the chain of filters that makes silence for as long as the video lasts."""
    sound = f"anullsrc=r={output.sample_rate}:cl=stereo:d={source.duration:.6f}"
    return f"{sound}[{SILENCE}]"


def as_uploaded(source: ProbeResult) -> ProbeResult:
    """Return what the output must be as a whole: the source at its new rate, with sound."""
    frames = round(source.duration * constant_rate(source))
    if source.audio is not None:
        return replace(source, shown_frames=frames)
    return replace(
        source,
        shown_frames=frames,
        audio="AAC",
        audio_start=source.start,
        audio_seconds=source.duration,
    )


def faults_of(video: ProbeResult, output: Social, source: ProbeResult) -> dict[str, bool]:
    """Return sentences about what uploads require, and whether the file does it."""
    lines, rate = lines_of(output, source), float(constant_rate(source))
    even = abs(video.longest * rate - 1) <= _UNEVEN and abs(video.fps / rate - 1) <= _UNEVEN
    return {
        f"{output.file} has {video.lines} lines, not {lines}": video.lines == lines,
        f"{output.file} is {video.profile} {video.codec}": (video.fourcc, video.profile)
        == ("avc1", "High"),
        f"{output.file} has {video.fps:.3f} frames a second, not always {rate:.3f}": even,
        f"{output.file} has {video.channels} channels of sound, not 2": video.channels == STEREO,
        f"{output.file} has sound of {video.sample_rate} Hz": video.sample_rate
        == output.sample_rate,
    }
