"""What may be made of a clip, as data: each output's file, and what it is."""

from dataclasses import dataclass
from typing import Literal

from worker.transcode.encodings import H264, SMALL, Encoding

VIDEO, POSTER = "video.mp4", "poster.jpg"


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
