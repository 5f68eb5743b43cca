"""A change of loudness, as filters: a gain, and a limiter where peaks would be too high."""

from dataclasses import dataclass, replace
from typing import Self

from worker.transcode.loudness import Loudness

HIGHEST_PEAK = -1.0  # dBTP (EBU R 128)
_CEILING = -1.5  # dBFS of the limiter at first; encoders add to peaks
_LOWEST_CEILING = -12.0
_MOST = 60.0  # decibels of gain or attenuation
_SPARE = 0.3  # dB below the highest peak: decoders differ in the noise that AAC describes
# A limiter sees samples; at four times the usual rate they miss a true peak by 0.2 dB at most.
_OVERSAMPLED, _RATE = 192_000, 48_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Decibels of gain, and the ceiling of a limiter in dBFS; None if no peak needs one."""

    decibels: float
    ceiling: float | None = None

    @classmethod
    def towards(cls, target: float, before: Loudness) -> Self:
        """Return the gain from this loudness to the target in LUFS."""
        decibels = target - before.integrated
        limited = before.peak + decibels > _CEILING
        return cls(decibels=decibels, ceiling=_CEILING if limited else None)

    def corrected(self, target: float, after: Loudness) -> Self:
        """Return the gain that brings sound nearer to the target that this one made `after`."""
        decibels = self.decibels + target - after.integrated
        changed = replace(self, decibels=max(-_MOST, min(decibels, _MOST)))
        excess = after.peak - HIGHEST_PEAK + _SPARE
        if excess <= 0:
            return changed
        ceiling = _CEILING if self.ceiling is None else self.ceiling - excess
        return replace(changed, ceiling=max(ceiling, _LOWEST_CEILING))

    @property
    def filters(self) -> str:
        """The filters of the gain, which follow those of the layout."""
        volume = f"volume={self.decibels:.2f}dB:precision=float"
        if self.ceiling is None:
            return volume
        limiter = f"alimiter=level=false:latency=true:limit={10 ** (self.ceiling / 20):.4f}"
        return f"{volume},aresample={_OVERSAMPLED},{limiter},aresample={_RATE}"


def has_safe_peak(loudness: Loudness) -> bool:
    """Return whether the true peak is low enough, also for other decoders."""
    return loudness.peak <= HIGHEST_PEAK - _SPARE
