"""Delivery profiles, as data: what is made of one clip.

A profile is written as a master and what is made besides, joined by "+": "original" is the video
as fal rendered it where that plays everywhere, and a poster; "web+720p+preview" is a video of
1080 lines at most, a WebP poster beside the JPEG, one smaller rendition and a muted preview.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

from worker.jobs import Json

VIDEO, POSTER = "video.mp4", "poster.jpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a video is encoded; `crf` by the number of lines, the first bound that holds it."""

    encoder: str
    arguments: tuple[str, ...]
    crf: tuple[tuple[int, int], ...]

    def options(self, lines: int) -> tuple[str, ...]:
        """ffmpeg's options for a video of this many lines (pixels of its shorter side)."""
        crf = next((crf for bound, crf in self.crf if lines <= bound), self.crf[-1][1])
        return ("-c:v", self.encoder, "-crf", str(crf), *self.arguments)


# veryfast: "faster" and "fast" cost half as much again for a larger file at the same CRF.
H264 = Encoding(
    encoder="libx264",
    arguments=("-preset", "veryfast", "-profile:v", "high"),
    crf=((360, 23), (4320, 21)),
)
SMALL = Encoding(
    encoder="libx264", arguments=("-preset", "veryfast", "-profile:v", "main"), crf=((4320, 30),)
)
# Preset 10: the processor time of x264 veryfast for three quarters of the bytes.
AV1 = Encoding(encoder="libsvtav1", arguments=("-preset", "10"), crf=((4320, 32),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition:
    """A video with sound, its shorter side of `lines` pixels; never larger than its source."""

    file: str
    lines: int
    encoding: Encoding = H264
    codec: Literal["avc1", "av01"] = "avc1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """What is shown at `at` seconds, or in the middle of a shorter clip, at most `width` wide."""

    file: str
    encoder: str
    arguments: tuple[str, ...]
    width: int = 1280
    at: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The first `seconds` without sound, small, for a page with many clips."""

    file: str = "preview.mp4"
    width: int = 320
    fps: int = 10
    seconds: float = 3.0
    encoding: Encoding = SMALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Storyboard:
    """A sprite of small frames at equal distances, and the WebVTT that says which is when."""

    file: str = "storyboard.jpg"
    index: str = "storyboard.vtt"
    columns: int = 5
    rows: int = 5
    width: int = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Blur:
    """A BlurHash of the poster, for the manifest."""

    file: str = "blur.rgb"
    side: int = 32
    at: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hls:
    """A ladder of the H.264 renditions, or of the video where none is smaller (RFC 8216)."""

    file: str = "hls.m3u8"
    seconds: float = 2.0


Output = Rendition | Still | Preview | Storyboard | Blur | Hls
JPEG = Still(file=POSTER, encoder="mjpeg", arguments=("-q:v", "3"))
WEBP = Still(file="poster.webp", encoder="libwebp", arguments=("-quality", "80"))
# A third of WebP's bytes, for 30 ms more of processor time.
AVIF = Still(file="poster.avif", encoder="libsvtav1", arguments=("-preset", "8", "-crf", "32"))

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
        "blurhash": Blur(),
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
