"""What was made of a clip."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.formats.mp4 import ProbeResult
from worker.provenance import SourceCredentials
from worker.transcode.metering import Cost
from worker.transcode.outputs import POSTER
from worker.transcode.plan import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeResult:
    """What was made and proven.

    `files`: all of it, the video first. `probe` is of the video, `reasons` say why it was not just
    copied; `skipped` are renditions of the profile that would have no fewer lines than the source,
    `failed` the extras that could not be made of it, and why.
    `cost` is by part of the work. `signed` is how the video's credentials validate, None where it
    has none. `vendor` says what became of credentials that the source had; where they are not the
    parent of ours, the source itself is the last of the files, as original.mp4.
    """

    files: tuple[Path, ...]
    method: Method
    profile: str
    probe: ProbeResult
    source: ProbeResult
    reasons: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: Mapping[str, str]
    blurhash: str | None
    signed: str | None
    vendor: SourceCredentials | None
    cost: Mapping[str, Cost]

    @property
    def video(self) -> Path:
        """The master."""
        return self.files[0]

    @property
    def poster(self) -> Path:
        """The picture that stands for it."""
        return self.video.with_name(POSTER)
