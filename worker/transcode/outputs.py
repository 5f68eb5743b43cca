"""The outputs that a profile may have, as data."""

from dataclasses import dataclass
from typing import Literal

VIDEO, POSTER = "video.mp4", "poster.jpg"
_STEREO_KBITS, _KBITS_PER_CHANNEL = 160, 64


def aac(channels: int) -> tuple[str, ...]:
    """Return ffmpeg's options for sound of so many channels: 384 kbit/s for 5.1."""
    kbits = _STEREO_KBITS if channels <= 2 else _KBITS_PER_CHANNEL * channels  # noqa: PLR2004
    return ("-c:a", "aac", "-b:a", f"{kbits}k")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """An encoder, its arguments, and pairs of most lines and CRF in ascending order."""

    encoder: str
    arguments: tuple[str, ...]
    crf: tuple[tuple[int, int], ...]

    def options(self, lines: int) -> tuple[str, ...]:
        """Return ffmpeg's options for a video of this many lines (pixels of its shorter side)."""
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
    """A video with sound, `lines` pixels on its shorter side; never larger than its source."""

    file: str
    lines: int
    encoding: Encoding = H264
    codec: Literal["avc1", "av01"] = "avc1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Social:
    """A video for the uploads of social networks: a constant frame rate, and always stereo sound.

    It has `lines` lines at most, and sound of this `sample_rate`, which may be silence.
    """

    file: str = "social.mp4"
    lines: int = 1080
    sample_rate: int = 48000
    encoding: Encoding = H264


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """A picture of the frame at `at` seconds, or in the middle of a shorter clip."""

    file: str
    encoder: str
    arguments: tuple[str, ...]
    width: int = 1280
    at: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A small video of the first `seconds` without sound, for a page with many clips."""

    file: str = "preview.mp4"
    width: int = 320
    fps: int = 10
    seconds: float = 3.0
    encoding: Encoding = SMALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Storyboard:
    """A sprite of small frames at equal distances, and the WebVTT index of their times."""

    file: str = "storyboard.jpg"
    index: str = "storyboard.vtt"
    columns: int = 5
    rows: int = 5
    width: int = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurHash:
    """A BlurHash of the poster, for the manifest."""

    file: str = "blur.rgb"
    side: int = 32
    at: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A tiny picture of the moment that stills show, which is looked at and not published."""

    file: str = "look.gray"
    side: int = 64
    at: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A report of the black and frozen frames of the whole clip, which is not published.

    A picture of `width` pixels suffices for it.
    """

    file: str = "stretches.txt"
    width: int = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class Hls:
    """A ladder of the video and the H.264 renditions (RFC 8216)."""

    file: str = "hls.m3u8"
    seconds: float = 2.0


Output = Rendition | Social | Still | Preview | Storyboard | BlurHash | Look | Watch | Hls
Stills = Still | BlurHash | Look  # outputs of one moment
JPEG = Still(file=POSTER, encoder="mjpeg", arguments=("-q:v", "3"))
WEBP = Still(file="poster.webp", encoder="libwebp", arguments=("-quality", "80"))
# A third of WebP's bytes, for 30 ms more of processor time.
AVIF = Still(file="poster.avif", encoder="libsvtav1", arguments=("-preset", "8", "-crf", "32"))
