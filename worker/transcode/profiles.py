"""Delivery profiles, as data: what is made of one clip.

A profile is written as a master and what is made besides, joined by "+": "original" is the video
as fal rendered it where that plays everywhere, and a poster; "web+720p+preview" is a video of
1080 lines at most, a WebP poster beside the JPEG, one smaller rendition and a muted preview.
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
    Still,
    Storyboard,
)
from worker.types import Json

# The master's most lines (None: as many as its source has), and what always comes with it.
MASTERS: MappingProxyType[str, tuple[int | None, tuple[Output, ...]]] = MappingProxyType(
    {"original": (None, (JPEG,)), "web": (1080, (JPEG, WEBP))}
)
EXTRAS: MappingProxyType[str, Output] = MappingProxyType(
    {
        "720p": Rendition(file="video-720p.mp4", lines=720),
        "360p": Rendition(file="video-360p.mp4", lines=360),
        "av1": Rendition(file="video-av1.mp4", lines=720, encoding=AV1, codec="av01"),
        "webp": WEBP,
        "avif": AVIF,
        "preview": Preview(),
        "storyboard": Storyboard(),
        "blurhash": BlurHash(),
        "hls": Hls(),
    }
)


# Characters of a wrong profile that are told.
_QUOTED = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is made: `video.mp4` with at most `lines` lines, and the `outputs` beside it."""

    name: str
    lines: int | None
    outputs: tuple[Output, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The profile of this text. Raises ValueError, which lists what there is."""
        master, *extras = (part.strip() for part in text.split("+"))
        if master not in MASTERS or (set(extras) - set(EXTRAS)):
            short = text[:_QUOTED] + "…" * (len(text) > _QUOTED)
            raise ValueError(
                f"knows no delivery profile {short!r}: it is {' or '.join(MASTERS)}, and may go on"
                f" with +{', +'.join(EXTRAS)}"
            )
        lines, always = MASTERS[master]
        outputs = dict.fromkeys((*always, *(EXTRAS[extra] for extra in extras)))
        return cls(name="+".join((master, *extras)), lines=lines, outputs=tuple(outputs))

    @property
    def hls(self) -> Hls | None:
        """The ladder, where one is asked for."""
        return next((output for output in self.outputs if isinstance(output, Hls)), None)

    def is_extra(self, output: Output) -> bool:
        """Whether the clip may be published without it: it does not always come with the master.

        A still stands for its file, whatever its moment.
        """
        _, always = MASTERS[self.name.partition("+")[0]]
        return output.file not in {each.file for each in always}

    @property
    def encoders(self) -> frozenset[str]:
        """The encoders of ffmpeg that this needs besides libx264, aac and mjpeg."""
        named = {
            output.encoding.encoder if isinstance(output, Rendition | Preview) else output.encoder
            for output in self.outputs
            if isinstance(output, Rendition | Preview | Still)
        }
        return frozenset(named - {"libx264", "mjpeg"})


ORIGINAL = Profile.parse("original")
# The key of a job's metadata that asks for another delivery profile than the setting's.
PROFILE_KEY = "falhook.profile"


def asked_profile(metadata: Mapping[str, Json]) -> Profile | None:
    """The profile that a job's metadata asks for. Raises ValueError, which lists what there is."""
    match metadata.get(PROFILE_KEY):
        case None:
            return None
        case str(text):
            return Profile.parse(text)
        case other:
            raise ValueError(f"must be a text, not {type(other).__name__}")
