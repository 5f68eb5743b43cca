"""The loudness of published sound, as ffmpeg measures it (EBU R 128, ITU-R BS.1770-4).

Only the sound is decoded, which takes some 60 ms of processor time for a clip of 10 s.
"""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from webhook.log import get_logger
from worker.errors import Failure
from worker.formats.errors import MediaError
from worker.formats.mp4 import ProbeResult
from worker.transcode.ffmpeg import Ffmpeg, ResourceUsage
from worker.transcode.stretches import Stretch, unheard
from worker.types import Json

log = get_logger()

_REPORT = "loudness.txt"
# ebur128 reports each 100 ms that are complete, so silence completes the last.
_METER = (
    "apad=pad_dur=0.1,ebur128=peak=true:metadata=1,silencedetect=noise=-60dB:duration=0.1,"
    f"ametadata=mode=print:file={_REPORT}"
)
_INTEGRATED, _PEAK = "lavfi.r128.I", "lavfi.r128.true_peaks_ch"
_SILENCE = -70.0  # LUFS: the absolute gate, below which nothing is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """Integrated loudness in LUFS, and the highest true peak in dBTP."""

    integrated: float
    peak: float

    def record(self) -> dict[str, Json]:
        """Return it as the manifest has it."""
        return {
            "integrated_lufs": round(self.integrated, 1),
            "true_peak_dbtp": round(self.peak, 1),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What was heard: the loudness, None of silence, and stretches of silence, None if unmeasured.

    `reason`: why nothing was measured, although there is sound.
    """

    loudness: Loudness | None = None
    silent: Sequence[Stretch] | None = None
    reason: str | None = None


def measured(video: ProbeResult, path: Path, ffmpeg: Ffmpeg, usage: ResourceUsage) -> Sound:
    """Measure the sound of the video at `path`; add what that takes to `usage`.

    It has no loudness if it is silent, or shorter than 0.4 s. Sound that ffmpeg cannot decode is
    logged: it was copied, and a paid clip is published without these figures.
    """
    if video.audio is None:
        return Sound()
    try:
        report = _report(path, video.audio_track, ffmpeg.fitted(video, outputs=1), usage)
    except (Failure, MediaError) as failure:
        log.warning("loudness.unmeasured", reason=failure.reason, why=failure.sentence)
        return Sound(reason=failure.sentence)
    return Sound(loudness=parsed(report), silent=unheard(report, video))


def measure(
    path: Path, track: int, ffmpeg: Ffmpeg, usage: ResourceUsage, *, through: str = ""
) -> Loudness | None:
    """Measure this audio track of the MP4 at `path`, after filters that it goes `through`.

    Return None if it is silent, or shorter than 0.4 s. Raises what `Ffmpeg.run` raises.
    """
    return parsed(_report(path, track, ffmpeg, usage, through=through))


def _report(
    path: Path, track: int, ffmpeg: Ffmpeg, usage: ResourceUsage, *, through: str = ""
) -> str:
    filters = f"{through},{_METER}" if through else _METER
    with tempfile.TemporaryDirectory(prefix="falhook-") as scratch:
        decode = ["-map", f"0:a:{track}", "-filter:a", filters, "-f", "null", "-"]
        usage.add_child(ffmpeg.run(decode, source=path, cwd=Path(scratch), duration=None))
        report = Path(scratch, _REPORT)
        return report.read_text(encoding="utf-8") if report.is_file() else ""


def parsed(report: str) -> Loudness | None:
    """Return the loudness that the lines of ffmpeg's report end with; None for silence."""
    integrated, peak = _SILENCE, 0.0
    for line in report.splitlines():
        name, _, value = line.partition("=")
        if name == _INTEGRATED:
            integrated = float(value)
        elif name.startswith(_PEAK):
            peak = max(peak, float(value))
    if not (math.isfinite(integrated) and integrated > _SILENCE and 0 < peak < math.inf):
        return None
    return Loudness(integrated=integrated, peak=20 * math.log10(peak))
