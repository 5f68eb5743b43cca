"""Delivery profiles, as data: the outputs of one clip.

A profile is written as a master and extras, joined by "+". "original" is a poster and the video as
fal rendered it, if that plays everywhere. "web+720p+preview" is a video of 1080 lines at most, a
JPEG and a WebP poster, one smaller rendition and a muted preview.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from worker.transcode.outputs import (
    AV1,
    AVIF,
    JPEG,
    WEBP,
    BlurHash,
    Hls,
    Output,
    Preview,
    Rendition,
    Social,
    Still,
    Storyboard,
)
from worker.types import Json

# The master's most lines (None: as many as its source has), and the outputs always created with it.
MASTERS: MappingProxyType[str, tuple[int | None, tuple[Output, ...]]] = MappingProxyType(
    {"original": (None, (JPEG,)), "web": (1080, (JPEG, WEBP))}
)
EXTRAS: MappingProxyType[str, Output] = MappingProxyType(
    {
        "720p": Rendition(file="video-720p.mp4", lines=720),
        "360p": Rendition(file="video-360p.mp4", lines=360),
        "av1": Rendition(file="video-av1.mp4", lines=720, encoding=AV1, codec="av01"),
        "social": Social(),
        "webp": WEBP,
        "avif": AVIF,
        "preview": Preview(),
        "storyboard": Storyboard(),
        "blurhash": BlurHash(),
        "hls": Hls(),
    }
)
_QUOTED = 60  # characters of a wrong profile that an error message shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """`video.mp4` with at most `lines` lines, and the `outputs` next to it."""

    name: str
    lines: int | None
    outputs: tuple[Output, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a profile's name. Raises ValueError, which lists the masters and extras."""
        master, *extras = (part.strip() for part in text.split("+"))
        if master not in MASTERS or (set(extras) - set(EXTRAS)):
            short = text[:_QUOTED] + "…" * (len(text) > _QUOTED)
            raise ValueError(
                f"{short!r} is not a profile: use {' or '.join(MASTERS)}, optionally followed by"
                f" +{', +'.join(EXTRAS)}"
            )
        lines, always = MASTERS[master]
        outputs = dict.fromkeys((*always, *(EXTRAS[extra] for extra in extras)))
        return cls(name="+".join((master, *extras)), lines=lines, outputs=tuple(outputs))

    @property
    def hls(self) -> Hls | None:
        """The HLS ladder, if the profile has one."""
        return next((output for output in self.outputs if isinstance(output, Hls)), None)

    @property
    def social(self) -> Social | None:
        """The video for uploads, if the profile has one."""
        return next((output for output in self.outputs if isinstance(output, Social)), None)

    def is_extra(self, output: Output) -> bool:
        """Return whether the clip may be published without this output's file."""
        _, always = MASTERS[self.name.partition("+")[0]]
        return output.file not in {required.file for required in always}

    @property
    def encoders(self) -> frozenset[str]:
        """The encoders that ffmpeg needs for it, apart from libx264, aac and mjpeg."""
        encoders = {
            output.encoding.encoder if isinstance(output, Rendition | Preview) else output.encoder
            for output in self.outputs
            if isinstance(output, Rendition | Preview | Still)
        }
        return frozenset(encoders - {"libx264", "mjpeg"})


ORIGINAL = Profile.parse("original")
# The metadata key with which a job requests another delivery profile than the setting's.
PROFILE_KEY = "falhook.profile"


def requested_profile(metadata: Mapping[str, Json]) -> Profile | None:
    """Return the profile that a job's metadata requests. Raises ValueError if it is not one."""
    match metadata.get(PROFILE_KEY):
        case None:
            return None
        case str(text):
            return Profile.parse(text)
        case other:
            raise ValueError(f"must be a string, not {type(other).__name__}")
