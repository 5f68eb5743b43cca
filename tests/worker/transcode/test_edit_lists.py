"""Outputs show what the clip's edit lists show, at the same time."""

from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, tags
from worker.errors import Permanent
from worker.formats.mp4 import ProbeResult, probe
from worker.transcode import verification
from worker.transcode.ffmpeg import Ffmpeg, FfmpegUnusable
from worker.transcode.outputs import Rendition
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

CODECS = ("high", "hevc")
CLIPS = [
    f"{name}_{codec}"
    for name in ("hidden", "later", "sound_later", "sound_longer", "both_later", "later_alone")
    for codec in CODECS
]
ALL = "original+av1+webp+preview+storyboard+blurhash"


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def delivered(name: str, into: Path, program: Ffmpeg, profile: str = ALL) -> TranscodeResult:
    return transcode(clip(name), into, tags(), ffmpeg=program, profile=Profile.parse(profile))


def times(video: ProbeResult) -> tuple[float | None, ...]:
    """The picture's delay after the sound, and the duration of both."""
    return video.lead, video.duration, video.audio_seconds


@pytest.mark.parametrize("name", CLIPS)
def test_every_output_keeps_the_times(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Picture and sound keep their start and duration; no shown frame is lost."""
    result = delivered(name, tmp_path, real)
    source = probe(clip(name))
    for path in (result.video, result.video.with_name("video-av1.mp4")):
        video = probe(path)
        assert times(source) == pytest.approx(times(video), abs=0.06), path.name
        assert source.shown_frames == video.shown_frames, path.name
    preview = probe(result.video.with_name("preview.mp4"))
    assert (0.0, source.duration) == pytest.approx((preview.start, preview.duration), abs=0.11)


@pytest.mark.parametrize(
    ("name", "frame"),
    [(f"hidden_{codec}", 42) for codec in CODECS] + [(f"later_{codec}", 24) for codec in CODECS],
)
def test_the_poster_is_a_shown_frame(name: str, frame: int, real: Ffmpeg, tmp_path: Path) -> None:
    """The poster is the frame one second after the picture begins, or in a short clip's middle."""
    result = delivered(name, tmp_path, real)
    source = name.split("_")[1]
    unlike = {
        at: difference(result.poster, clip(source), at, tmp_path) for at in (0, 20, 24, 36, 42, 46)
    }
    assert frame == min(unlike, key=unlike.__getitem__)


def difference(poster: Path, video: Path, frame: int, scratch: Path) -> int:
    """The difference of lightness between the poster and a frame."""
    seen = []
    for path, chosen in ((poster, ""), (video, f"select=eq(n\\,{frame}),scale=out_range=full,")):
        raw = ("-frames:v", "1", "-vf", f"{chosen}format=gray", "-f", "rawvideo")
        ffmpeg("-i", str(path), *raw, str(scratch / "gray"))
        seen.append((scratch / "gray").read_bytes())
    return sum(abs(pixel - other) for pixel, other in zip(*seen, strict=True))


@pytest.mark.parametrize(
    ("source", "result", "words"),
    [
        ("sound_longer_hevc", "hidden_high", "its audio lasts 0.50 s, not 2.0"),
        ("high", "sound_later_high", "picture and sound do not begin together"),
        ("later_hevc", "high", "picture and sound do not begin together"),
    ],
)
def test_other_times_are_refused(source: str, result: str, words: str) -> None:
    """Sound that is cut, or shifted against the picture, is refused."""
    expected = probe(clip(source))
    with pytest.raises(Permanent, match=f"media_invalid.*{words}"):
        verification.verify_output(clip(result), Rendition(file="small.mp4", lines=180), expected)


@pytest.mark.parametrize("name", ["hidden_hevc", "later_hevc", "sound_longer_high"])
def test_the_systems_ffmpeg_keeps_the_times(name: str, tmp_path: Path) -> None:
    """Another build keeps the times too."""
    try:
        systems = Ffmpeg.find("ffmpeg")
    except FfmpegUnusable as unusable:
        pytest.skip(str(unusable))
    result = delivered(name, tmp_path, systems, "original+storyboard+preview")
    assert times(result.source) == pytest.approx(times(result.probe), abs=0.06)
    assert result.source.shown_frames == result.probe.shown_frames
