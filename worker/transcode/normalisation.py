"""Normalisation of loudness (EBU R 128): the gain that brings published sound to a target.

An encoder adds to peaks, and a limiter takes from loudness. So a gain is tried on the sound alone,
encoded and measured as it will be published, and corrected until the result fits.
"""

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from webhook.log import get_logger
from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.mp4 import ProbeResult
from worker.transcode.conformance import audio_reasons
from worker.transcode.downmix import fitted_channels, fitted_layout
from worker.transcode.failed_extras import would_fail_again
from worker.transcode.ffmpeg import Ffmpeg, ResourceUsage
from worker.transcode.gain import HIGHEST_PEAK, Gain, has_safe_peak
from worker.transcode.loudness import Loudness, measure
from worker.transcode.outputs import Social, aac
from worker.transcode.social import STEREO, stereo
from worker.types import Json

log = get_logger()

TOLERANCE = 1.0  # LU by which the loudness may differ from the target
_AIM = 0.5  # LU: a gain that is nearer is not corrected
_PROGRESS = 0.3  # LU that another trial of a limited sound must be nearer
_TRIALS = 8
_NEXT_TO_SILENCE = -60.0  # LUFS: a gain would make noise of it
_TRIAL = "trial.mp4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """What normalising a clip's sound to `target` LUFS takes; nothing without a target.

    `before`: of the source, None if it has none. `gain`: of the video and its renditions, None if
    their sound stays as it is; `social` of `social.mp4`. `reason`: why the target is not reached.
    """

    target: float | None = None
    before: Loudness | None = None
    gain: Gain | None = None
    social: Gain | None = None
    reason: str | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the sound cannot be copied; empty if it can, as far as its loudness goes."""
        if self.target is None or self.gain is None or self.before is None:
            return ()
        if _is_fit(self.before, self.target):
            return ()
        if abs(self.before.integrated - self.target) > TOLERANCE:
            return (f"its loudness is {self.before.integrated:.1f} LUFS, not {self.target:g}",)
        return (f"its true peak is {self.before.peak:.1f} dBTP, more than {HIGHEST_PEAK:g}",)

    def record(self) -> dict[str, Json]:
        """Return it as the manifest has it; empty without a target."""
        if self.target is None:
            return {}
        record: dict[str, Json] = {"target_lufs": self.target}
        if self.before:
            record["source"] = self.before.record()
        if self.reason:
            record["reason"] = self.reason
        return {"normalisation": record}


def normalise(
    source: ProbeResult,
    path: Path,
    target: float,
    social: Social | None,
    ffmpeg: Ffmpeg,
    *,
    usage: ResourceUsage,
) -> Normalisation:
    """Return what brings the sound of the clip at `path` to `target` LUFS.

    It is the sound of the video, and that of `social` if there is one. Add what the trials take to
    `usage`. Sound that ffmpeg cannot decode stays as it is, with the reason. Raises `Transient`,
    and `Permanent` (media_timeout).
    """
    if source.audio is None:
        return Normalisation(target=target, reason="the clip has no sound")
    with tempfile.TemporaryDirectory(prefix="falhook-") as scratch:
        trials = _Trials(source, path, target, ffmpeg.fitted(source, 1), Path(scratch), usage)
        try:
            return _normalise(trials, social)
        except (Permanent, MediaError) as failure:
            if not would_fail_again(failure):
                raise
            log.warning("loudness.unmeasured", reason=failure.reason, why=failure.sentence)
            return Normalisation(target=target, reason=failure.sentence)


def _normalise(trials: "_Trials", social: Social | None) -> Normalisation:
    source, before = trials.source, trials.before()
    result = Normalisation(target=trials.target, before=before)
    if before is None:
        return replace(result, reason="the sound is silent, or shorter than 0.4 s")
    if before.integrated < _NEXT_TO_SILENCE:
        why = f"the sound is next to silence: quieter than {_NEXT_TO_SILENCE:g} LUFS"
        return replace(result, reason=why)
    layout, reached = fitted_layout(source), True
    if audio_reasons(source) or not _is_fit(before, trials.target):
        gain, reached = trials.found(before, layout, fitted_channels(source))
        result = replace(result, gain=gain)
    if social:
        gain, also = trials.found(before, f"{layout},{stereo(social)}", STEREO)
        result, reached = replace(result, social=gain), reached and also
    why = f"its peaks cannot be limited further: they stay below {HIGHEST_PEAK:g} dBTP"
    return result if reached else replace(result, reason=why)


@dataclass(frozen=True, slots=True)
class _Trials:
    source: ProbeResult
    path: Path
    target: float
    ffmpeg: Ffmpeg
    scratch: Path
    usage: ResourceUsage

    def before(self) -> Loudness | None:
        track, layout = self.source.audio_track, fitted_layout(self.source)
        return measure(self.path, track, self.ffmpeg, self.usage, through=layout)

    def found(self, before: Loudness, layout: str, channels: int) -> tuple[Gain | None, bool]:
        """Return the best gain of some trials, and whether it reaches the target."""
        gain, best, missed = Gain.towards(self.target, before), None, math.inf
        for _ in range(_TRIALS):
            if (after := self._after(gain, layout, channels)) is None:
                break
            if has_safe_peak(after):
                now = abs(after.integrated - self.target)
                if _AIM < now > missed - _PROGRESS:
                    break  # more gain would only distort what the limiter lets through
                best, missed = gain, now
                if now <= _AIM:
                    break
            gain = gain.corrected(self.target, after)
        return best, missed <= TOLERANCE

    def _after(self, gain: Gain, layout: str, channels: int) -> Loudness | None:
        sound = ["-map", f"0:a:{self.source.audio_track}"]
        sound += ["-filter:a", f"{layout},{gain.filters}", *aac(channels)]
        bounds = ["-t", f"{self.source.over + 1:.3f}", "-fs", str(self.ffmpeg.limits.file_size)]
        outputs = [*sound, *bounds, "-f", "mp4", _TRIAL]
        run = self.ffmpeg.run(outputs, source=self.path, cwd=self.scratch, duration=None)
        self.usage.add_child(run)
        return measure(self.scratch / _TRIAL, 0, self.ffmpeg, self.usage)


def _is_fit(loudness: Loudness, target: float) -> bool:
    return abs(loudness.integrated - target) <= TOLERANCE and loudness.peak <= HIGHEST_PEAK
