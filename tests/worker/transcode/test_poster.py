"""Posters show a moment at which there is something to see, or the one that is requested."""

from pathlib import Path
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.clips import ffmpeg, tags
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.poster import AUTO_POSTER, PosterTime, requested_poster, shows_something
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

# It gets lighter by 24 a second, and by 60 from left to right.
PICTURE = "color=s=320x180:r=24:d=5,geq=lum=40+24*T+60*X/W:cb=128:cr=128"
# Clips of 5 s whose picture at 1 s is black, white or flat.
BEGINS = {
    "black": "drawbox=t=fill:color=black:enable=lt(t\\,2)",
    "white": "drawbox=t=fill:color=white:enable=lt(t\\,2)",
    "flat": "drawbox=t=fill:color=gray:enable=lt(t\\,2)",
    "flash": "drawbox=t=fill:color=white:enable=between(t\\,0.9\\,1.1)",
    "fade": "fade=t=in:st=0.9:d=1",
    "late": "drawbox=t=fill:color=black:enable=lt(t\\,4)",
}
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
CODECS = {
    "h264": ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
    "hevc": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"),
}
ALL = Profile.parse("original+webp+avif+blurhash")


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def rendered(path: Path, filters: str, codec: str = "h264") -> Path:
    """A clip with these filters."""
    ffmpeg("-f", "lavfi", "-i", PICTURE, "-vf", filters, *CODECS[codec], str(path))
    return path


def gray(path: Path, *before: str) -> bytes:
    """The lightness of the pixels of a picture, or of a video's first frame."""
    raw = path.with_suffix(".gray")
    scaled = ",".join((*before, "scale=64:64:flags=area:out_range=full", "format=gray"))
    ffmpeg("-i", str(path), "-frames:v", "1", "-vf", scaled, "-f", "rawvideo", str(raw))
    return raw.read_bytes()


def moment(picture: bytes) -> float:
    """The second of the clip whose frame has this lightness."""
    limited = 16 + fmean(picture) * 219 / 255
    return (limited - 70) / 24


def stills(result: TranscodeResult) -> list[Path]:
    return [path for path in result.files if path.stem == "poster"]


@pytest.mark.parametrize(
    ("begins", "codec"), [*((begins, "h264") for begins in BEGINS), ("black", "hevc")]
)
def test_a_moment_that_shows_something(
    begins: str, codec: str, real: Ffmpeg, tmp_path: Path
) -> None:
    """If the picture at 1 s is black, white or flat, all stills show the same later moment."""
    source = rendered(tmp_path / "source.mp4", BEGINS[begins], codec)
    result = transcode(source, tmp_path / "into", tags(), ffmpeg=real, profile=ALL)
    assert 3 == len(stills(result))
    expected = {"flash": 1.5, "late": 4.5}.get(begins, 2.5)
    for still in stills(result):
        assert 16 <= fmean(gray(still)) <= 235
        assert pstdev(gray(still)) > 8
        if begins != "fade":
            assert expected == pytest.approx(moment(gray(still)), abs=0.1)
    assert result.blurhash is not None
    mean = base83(result.blurhash[2:6]) & 255
    assert mean == pytest.approx(fmean(gray(result.poster)), abs=8)


def base83(text: str) -> int:
    """The number that the characters of a BlurHash stand for."""
    value = 0
    for character in text:
        value = value * 83 + _DIGITS.index(character)
    return value


@pytest.mark.parametrize("filters", ["drawbox=t=fill:color=black", "drawbox=t=fill:color=green"])
def test_a_clip_that_never_shows_anything(filters: str, real: Ffmpeg, tmp_path: Path) -> None:
    """A clip that is black or flat throughout is delivered with the poster at 1 s."""
    source = rendered(tmp_path / "source.mp4", filters)
    result = transcode(source, tmp_path / "into", tags(), ffmpeg=real, profile=ALL)
    assert ({}, 3) == (dict(result.failed), len(stills(result)))


@pytest.mark.parametrize(
    ("text", "expected"), [("2.5", 2.5), ("50%", 2.5), ("0", 0.0), ("100%", 4.96), ("999", 4.96)]
)
@pytest.mark.parametrize("extras", ["", "+preview"])
def test_a_requested_moment(
    text: str, expected: float, extras: str, real: Ffmpeg, tmp_path: Path
) -> None:
    """Stills show the moment that is requested, within the clip."""
    source = rendered(tmp_path / "source.mp4", "null")
    profile = Profile.parse(f"original+webp{extras}")
    at = PosterTime.parse(text)
    result = transcode(source, tmp_path / "into", tags(), ffmpeg=real, profile=profile, poster=at)
    for still in stills(result):
        assert expected == pytest.approx(moment(gray(still)), abs=0.1)


def test_a_requested_moment_may_be_black(real: Ffmpeg, tmp_path: Path) -> None:
    """No other moment is taken in place of a requested one."""
    source = rendered(tmp_path / "source.mp4", BEGINS["black"])
    at = PosterTime(seconds=1.0)
    result = transcode(source, tmp_path / "into", tags(), ffmpeg=real, poster=at)
    assert max(gray(result.poster)) <= 16


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, None),
        ({"falhook.poster_at": "auto"}, AUTO_POSTER),
        ({"falhook.poster_at": 2}, PosterTime(seconds=2.0)),
        ({"falhook.poster_at": 0.5}, PosterTime(seconds=0.5)),
        ({"falhook.poster_at": " 25% "}, PosterTime(share=0.25)),
    ],
)
def test_metadata(metadata: dict[str, str | float], expected: PosterTime | None) -> None:
    """A job may name seconds, as a number or text, or a share of the clip."""
    assert expected == requested_poster(metadata)


@pytest.mark.parametrize("value", ["", "x", "-1", "101%", "nan", "inf", "%", "1e999", True, [1]])
def test_other_values_are_refused(value: object) -> None:
    """Anything else is refused with what it must be."""
    with pytest.raises(ValueError, match="seconds"):
        requested_poster({"falhook.poster_at": value})  # type: ignore[dict-item]


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is a moment within bounds, or refused."""
    try:
        at = PosterTime.parse(text)
    except ValueError:
        return
    assert at == AUTO_POSTER or 0 <= (at.seconds or 0.0) or 0 <= (at.share or 0.0) <= 1


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (b"", False),
        (bytes(64), False),
        (bytes([255] * 64), False),
        (bytes([128] * 64), False),
        (bytes([100, 156] * 32), True),
        (bytes([0, 24] * 32), False),
        (bytes([120, 136] * 32), False),
    ],
)
def test_what_shows_something(pixels: bytes, expected: bool) -> None:
    """A mean lightness of 16 to 235, and a deviation of more than 8."""
    assert expected == shows_something(pixels)
