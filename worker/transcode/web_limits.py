"""Limits of a video for the web: its bit rate for its size, and the time between its keyframes.

The rates are our choice. Players seek to keyframes, and change to another rung of HLS there.
"""

from worker.formats.mp4 import ProbeResult

KEYFRAME_SECONDS = 2.0
_LATE = 1.25  # times as long between two keyframes: not every encoder can place them exactly
# Pairs of most lines and bits per second at up to 30 frames a second, in ascending order.
_RATES = ((360, 1_500_000), (480, 2_500_000), (720, 5_000_000), (1080, 10_000_000))
_HIGHEST = 35_000_000  # of more lines
_OFTEN, _MORE = 31, 1.5  # from as many frames a second, half as many bits again
_BUFFER = 1.0  # seconds of the rate that a player must buffer


def bit_rate_limit(lines: int, fps: float) -> int:
    """Return the most bits per second of a video of this many lines, apart from its start."""
    rate = next((rate for bound, rate in _RATES if lines <= bound), _HIGHEST)
    return round(rate * (_MORE if fps >= _OFTEN else 1))


def rate_options(lines: int, fps: float) -> list[str]:
    """Return the options that keep an encoder within the limit, by a leaky bucket."""
    rate = bit_rate_limit(lines, fps)
    return ["-maxrate", str(rate), "-bufsize", str(round(_BUFFER * rate))]


def excesses(source: ProbeResult) -> dict[str, bool]:
    """Return sentences about what is beyond the limits, and whether they apply to this video.

    An encoder that keeps the limit may fill a player's buffer on top of it.
    """
    limit = bit_rate_limit(source.lines, source.fps)
    rate, most = source.bit_rate, limit * (1 + _BUFFER / source.duration)
    apart = source.keyframes_apart
    return {
        f"it has {rate / 1e6:.1f} Mbit/s, more than {limit / 1e6:.1f}": rate > most,
        f"its keyframes are up to {apart:.1f} s apart, not {KEYFRAME_SECONDS:g} s": apart
        > KEYFRAME_SECONDS * _LATE,
    }


def is_within_limits(source: ProbeResult) -> bool:
    """Return whether the video is fit for the web as it is."""
    return not any(excesses(source).values())
