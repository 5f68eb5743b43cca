"""Stretches of a clip in which its picture is black or frozen, or its sound silent.

ffmpeg's detectors note where each begins and ends, in reports of one name and value a line.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from worker.formats.mp4 import ProbeResult
from worker.transcode.outputs import Watch
from worker.types import Json

SHORTEST = 0.5  # seconds; what is shorter is not reported
MOST = 100  # stretches of each kind in the manifest
# Names in the reports, of where a stretch begins and ends.
_BLACK = ("lavfi.black_start", "lavfi.black_end")
_FROZEN = ("lavfi.freezedetect.freeze_start", "lavfi.freezedetect.freeze_end")
_SILENT = ("lavfi.silence_start", "lavfi.silence_end")
_TOUCHING = 0.05  # seconds between silence and the end of the sound: encoders round
# blackdetect and freezedetect with their own thresholds: 98 % of the pixels are black, and no
# difference to the first frame is above -60 dB. A small picture suffices, and has less noise.
_DETECTORS = f"blackdetect=d={SHORTEST},freezedetect=d={SHORTEST}"

Stretch = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """Beginning and end of each stretch, in seconds of the clip; None of what was not measured.

    `unmeasured`: why, by kind, if it should have been.
    """

    black: Sequence[Stretch] | None = None
    frozen: Sequence[Stretch] | None = None
    silent: Sequence[Stretch] | None = None
    unmeasured: Mapping[str, str] = field(default_factory=dict)

    def with_silence(self, silent: Sequence[Stretch] | None, failed: str | None) -> Self:
        """Return them with those of the sound, or why they could not be measured."""
        unmeasured = {**self.unmeasured, **({"silent": failed} if failed else {})}
        return replace(self, silent=silent, unmeasured=unmeasured)

    def record(self) -> dict[str, Json]:
        """Return them as the manifest has them, at most `MOST` of each kind."""
        kinds = {"black": self.black, "frozen": self.frozen, "silent": self.silent}
        found = {kind: stretches for kind, stretches in kinds.items() if stretches is not None}
        record: dict[str, Json] = {
            kind: [{"start": round(start, 3), "end": round(end, 3)} for start, end in some[:MOST]]
            for kind, some in found.items()
        }
        if omitted := {kind: len(some) - MOST for kind, some in found.items() if len(some) > MOST}:
            record["omitted"] = dict(omitted)
        if self.unmeasured:
            record["unmeasured"] = dict(self.unmeasured)
        return record


def watched(watch: Watch) -> str:
    """Return the filters that report black and frozen frames to the output's file."""
    small = f"scale={watch.width}:-2:flags=area,setsar=1,format=yuv420p"
    return f"{small},{_DETECTORS},metadata=mode=print:file={watch.file}"


def seen(path: Path, source: ProbeResult, failed: str | None) -> Stretches:
    """Return what the report at `path` says of the picture; None of both if there is no report.

    `failed`: why it could not be made.
    """
    if failed:
        return Stretches(unmeasured={"black": failed, "frozen": failed})
    if not path.is_file():
        return Stretches()
    report = path.read_text(encoding="utf-8")
    black, frozen = (_long(_read(report, names, source.ends)) for names in (_BLACK, _FROZEN))
    return Stretches(black=black, frozen=frozen)


def unheard(report: str, video: ProbeResult) -> tuple[Stretch, ...]:
    """Return the stretches without sound that the report says, and those beside the sound."""
    begins = max(0.0, -video.lead)
    ends = begins + (video.audio_seconds or 0.0)
    within = _read(report, _SILENT, ends)
    return _long(_joined([(0.0, begins), *within, (min(ends, video.over), video.over)]))


def _read(report: str, names: tuple[str, str], ends: float) -> Iterator[Stretch]:
    """Yield the stretches between lines of these names; the last may last until the end."""
    begun: float | None = None
    for line in report.splitlines():
        name, _, value = line.partition("=")
        if name in names and math.isfinite(second := float(value)):
            if name == names[0]:
                begun = second
            elif begun is not None:
                yield max(0.0, begun), min(second, ends)
                begun = None
    if begun is not None:
        yield max(0.0, begun), ends


def _joined(stretches: Sequence[Stretch]) -> Iterator[Stretch]:
    """Yield the stretches, those that touch as one."""
    start, end = stretches[0]
    for begins, ends in stretches[1:]:
        if begins > end + _TOUCHING:
            yield start, end
            start = begins
        end = max(end, ends)
    yield start, end


def _long(stretches: Iterator[Stretch]) -> tuple[Stretch, ...]:
    return tuple((start, end) for start, end in stretches if end - start >= SHORTEST)
