"""The result of transcoding one clip."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.errors import Failure
from worker.formats.mp4 import ProbeResult
from worker.provenance import SourceCredentials
from worker.transcode.ffmpeg import ResourceUsage
from worker.transcode.loudness import Loudness
from worker.transcode.normalisation import Normalisation
from worker.transcode.outputs import POSTER
from worker.transcode.plan import Method
from worker.transcode.stretches import Stretches


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeResult:
    """Verified files, the video first, and how they came about.

    `probe`: of the video. `reasons`: why streams were encoded rather than copied. `skipped`:
    renditions of the profile that would be no smaller than the source. `failed`: extras that
    could not be created, and why. `loudness`: of the video, None for silence. `normalisation`:
    how it came about. `stretches`: where it is black, frozen or silent. `signed`: how the video's
    credentials validate, None without a signer.
    `unsigned`: why other files could not be signed, by name. `source_credentials`: what became of
    the source's own; if they are not the parent of ours, the last file is the source itself,
    original.mp4. `usage`: by part of the work. `refusal`: why nothing is signed although there is a
    signer.
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
    loudness: Loudness | None
    normalisation: Normalisation
    stretches: Stretches
    signed: str | None
    unsigned: Mapping[str, str]
    source_credentials: SourceCredentials | None
    usage: Mapping[str, ResourceUsage]
    refusal: Failure | None = None

    @property
    def video(self) -> Path:
        """The master."""
        return self.files[0]

    @property
    def poster(self) -> Path:
        """The JPEG still of the video."""
        return self.video.with_name(POSTER)
