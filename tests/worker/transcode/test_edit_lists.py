"""What a clip's edit lists show is what is delivered, and when it is shown."""

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
    """The ffmpeg that the product would find."""
    return Ffmpeg.find(None)


def delivered(name: str, into: Path, program: Ffmpeg, profile: str = ALL) -> TranscodeResult:
    return transcode(clip(name), into, tags(), ffmpeg=program, profile=Profile.parse(profile))


def times(found: ProbeResult) -> tuple[float | None, ...]:
    """How long after the sound the picture begins, and how long both last."""
    return found.lead, found.duration, found.audio_seconds


@pytest.mark.parametrize("name", CLIPS)
def test_every_output_keeps_the_times(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Picture and sound begin when they did and last as long; no frame that is shown is lost."""
    made = delivered(name, tmp_path, real)
    source = probe(clip(name))
    for path in (made.video, made.video.with_name("video-av1.mp4")):
        found = probe(path)
        assert times(source) == pytest.approx(times(found), abs=0.06), path.name
        assert source.shown_frames == found.shown_frames, path.name
    preview = probe(made.video.with_name("preview.mp4"))
    assert (0.0, source.duration) == pytest.approx((preview.start, preview.duration), abs=0.11)


@pytest.mark.parametrize(
    ("name", "frame"),
    [(f"hidden_{codec}", 42) for codec in CODECS] + [(f"later_{codec}", 24) for codec in CODECS],
)
def test_the_poster_is_of_what_is_shown(
    name: str, frame: int, real: Ffmpeg, tmp_path: Path
) -> None:
    """It is what is shown a second after the picture begins, or in the middle of a shorter one."""
    made = delivered(name, tmp_path, real)
    of = name.split("_")[1]
    unlike = {at: difference(made.poster, clip(of), at, tmp_path) for at in (0, 20, 24, 36, 42, 46)}
    assert frame == min(unlike, key=unlike.__getitem__)


def difference(poster: Path, video: Path, frame: int, scratch: Path) -> int:
    """How far the poster is from a frame, lightness by lightness."""
    seen = []
    for path, chosen in ((poster, ""), (video, f"select=eq(n\\,{frame}),scale=out_range=full,")):
        raw = ("-frames:v", "1", "-vf", f"{chosen}format=gray", "-f", "rawvideo")
        ffmpeg("-i", str(path), *raw, str(scratch / "gray"))
        seen.append((scratch / "gray").read_bytes())
    return sum(abs(one - other) for one, other in zip(*seen, strict=True))


@pytest.mark.parametrize(
    ("source", "made", "words"),
    [
        ("sound_longer_hevc", "hidden_high", "its audio lasts 0.50 s, not 2.0"),
        ("high", "sound_later_high", "picture and sound do not begin together"),
        ("later_hevc", "high", "picture and sound do not begin together"),
    ],
)
def test_other_times_are_no_proof(source: str, made: str, words: str) -> None:
    """Sound that is cut, or shifted against the picture, is not delivered."""
    held = probe(clip(source))
    with pytest.raises(Permanent, match=f"media_invalid.*{words}"):
        verification.verify_output(clip(made), Rendition(file="small.mp4", lines=180), held)


@pytest.mark.parametrize("name", ["hidden_hevc", "later_hevc", "sound_longer_high"])
def test_the_systems_ffmpeg_keeps_the_times(name: str, tmp_path: Path) -> None:
    """Another build as well."""
    try:
        systems = Ffmpeg.find("ffmpeg")
    except FfmpegUnusable as unusable:
        pytest.skip(str(unusable))
    made = delivered(name, tmp_path, systems, "original+storyboard+preview")
    assert times(made.source) == pytest.approx(times(made.probe), abs=0.06)
    assert made.source.shown_frames == made.probe.shown_frames
