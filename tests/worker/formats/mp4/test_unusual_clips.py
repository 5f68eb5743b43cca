"""Honest clips of unusual structure are supported, and not treated as attacks."""

import tracemalloc
from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, packets, tags
from tests.factories.mp4_boxes import TABLE, content_at
from worker.formats.errors import MediaError, UnsupportedMedia
from worker.formats.mp4 import intact, probe
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "10")
_BOTH = (*_X264, "-c:a", "aac")
_PCM = (*_X264, "-c:a", "pcm_s16le")
_ALL = Profile.parse("original+preview+storyboard+hls")
_ORIGINAL = Profile.parse("original")
_SMALL = "testsrc2=s=64x64:r={}:d={}"
_SRT = "1\n00:00:00,000 --> 00:00:{0},000\nA fox.\n"
_CHAPTERS = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND={0}\ntitle=A fox\n"


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The ffmpeg that falhook would find."""
    return Ffmpeg.find(None)


def delivered(
    source: Path, into: Path, program: Ffmpeg, profile: Profile = _ORIGINAL
) -> TranscodeResult:
    return transcode(source, into, tags(), ffmpeg=program, profile=profile)


def rendered(path: Path, rate: str, seconds: int, *options: str) -> Path:
    picture = ("-f", "lavfi", "-i", _SMALL.format(rate, seconds))
    sound = ("-f", "lavfi", "-i", f"sine=f=440:r=48000:d={seconds}")
    ffmpeg(*picture, *sound, *options, str(path))
    return path


def _text(scratch: Path, kind: str) -> Path:
    path = scratch / f"text.{kind}"
    path.write_text((_SRT if kind == "srt" else _CHAPTERS).format(12))
    return path


@pytest.mark.parametrize("kind", ["timecode", "chapters", "subtitles"])
def test_a_sample_as_long_as_the_clip(kind: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Time codes, chapters and subtitles, one sample for many seconds, do not prevent delivery."""
    options: dict[str, tuple[str, ...]] = {
        "timecode": ("-timecode", "01:00:00:00", *_BOTH, "-f", "mov"),
        "chapters": ("-f", "ffmetadata", "-i", str(_text(tmp_path, "txt")), *_BOTH, "-f", "mp4"),
        "subtitles": (
            *("-i", str(_text(tmp_path, "srt")), "-map", "0", "-map", "1", "-map", "2"),
            *("-c:s", "mov_text", *_BOTH, "-f", "mp4"),
        ),
    }
    source = rendered(tmp_path / "source", "5", 12, *options[kind])
    result = delivered(source, tmp_path / "into", real)
    assert ("copy", 60) == (result.method, result.probe.frames)
    assert packets(source, "v:0") == packets(result.video, "v:0")


@pytest.mark.parametrize(
    ("codec", "seconds", "frames"), [("libx264", 20, 1), ("libx265", 20, 1), ("libx265", 580, 2)]
)
def test_one_frame_for_a_long_time(
    codec: str, seconds: int, frames: int, real: Ffmpeg, tmp_path: Path
) -> None:
    """A still image with audio is delivered with all extras: no gap is filled."""
    options = ("-c:v", codec, "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "mp4")
    source = rendered(tmp_path / "source", f"{frames}/{seconds}", seconds, *options)
    assert (frames, float(seconds)) == (probe(source).frames, probe(source).duration)
    result = delivered(source, tmp_path / "into", real, _ALL)
    assert frames == result.probe.frames
    assert pytest.approx(seconds, abs=0.1) == result.probe.audio_seconds


def test_pcm_takes_little_memory(real: Ffmpeg, tmp_path: Path) -> None:
    """PCM has a sample for each number: those of 26 s exceed the limit, and are not indexed."""
    source = rendered(tmp_path / "source", "5", 26, *_PCM, "-f", "mov")
    tracemalloc.start()
    try:
        assert pytest.approx(26.0, abs=0.1) == probe(source).audio_seconds
        assert 1 << 20 > tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    result = delivered(source, tmp_path / "into", real)
    assert ("AAC", True) == (result.probe.audio, intact(result.video))
    assert pytest.approx(26.0, abs=0.1) == result.probe.audio_seconds


def test_missing_pcm(tmp_path: Path) -> None:
    """PCM samples are limited by the bytes of the file."""
    source = rendered(tmp_path / "source", "5", 2, *_PCM, "-f", "mov")
    data = source.read_bytes()
    many = (96_000).to_bytes(4)
    assert 2 <= data.count(many)
    source.write_bytes(data.replace(many, (96_000_000).to_bytes(4)))
    with pytest.raises(MediaError, match=r"media_invalid.*more bytes than the file has"):
        probe(source)


@pytest.mark.parametrize("flags", ["frag_keyframe+delay_moov", "frag_keyframe+empty_moov"])
def test_pcm_in_fragments(flags: str, real: Ffmpeg, tmp_path: Path) -> None:
    """ffmpeg states the duration of fragmented PCM before its fragments."""
    source = rendered(tmp_path / "source", "5", 4, *_PCM, "-movflags", flags, "-f", "mov")
    result = delivered(source, tmp_path / "into", real)
    assert (20, "AAC") == (result.probe.frames, result.probe.audio)


def test_a_fragment_for_each_frame(real: Ffmpeg, tmp_path: Path) -> None:
    """The limit of boxes grows with the fragments."""
    flags = ("-g", "1", "-movflags", "frag_keyframe", "-f", "mp4")
    source = rendered(tmp_path / "source", "100", 20, *_BOTH, *flags)
    assert 20_000 < 12 * source.read_bytes().count(b"moof")
    result = delivered(source, tmp_path / "into", real)
    assert ("copy", 2000) == (result.method, result.probe.frames)


def test_fragments_with_the_same_timestamp(real: Ffmpeg, tmp_path: Path) -> None:
    """ffmpeg writes these, and refuses to copy them: they are encoded, each up to the next."""
    flags = ("-movflags", "frag_every_frame", "-f", "mp4")
    source = rendered(tmp_path / "source", "24", 4, *_BOTH, *flags)
    assert pytest.approx(4.0, abs=0.1) == probe(source).duration
    result = delivered(source, tmp_path / "into", real)
    assert "the audio has packets with the same timestamp" in result.reasons
    assert pytest.approx(4.0, abs=0.1) == result.probe.duration


def test_empty_fragments_are_counted(tmp_path: Path) -> None:
    """Empty fragments do not raise the limit of boxes without end."""
    data = clip("fragmented").read_bytes()
    for empty, words in ((b"free", "boxes"), (b"moof", "fragments")):
        (tmp_path / "source").write_bytes(data + (b"\0\0\0\x08" + empty) * 70_000)
        with pytest.raises(MediaError, match=words):
            probe(tmp_path / "source")


@pytest.mark.parametrize(("name", "seconds"), [("looped", 4.0), ("swapped", 2.0)])
def test_parts_are_joined(name: str, seconds: float, real: Ffmpeg, tmp_path: Path) -> None:
    """A clip in several parts is encoded in the order in which its edit list shows them."""
    result = delivered(clip(name), tmp_path, real, _ALL)
    assert ("the video is shown in several parts",) == result.reasons
    assert pytest.approx(seconds, abs=0.1) == result.probe.duration
    assert 1 == content_at(result.video.read_bytes(), (b"moov", b"trak", b"edts", b"elst"))[7]


def test_a_pause_is_not_supported() -> None:
    """A pause is refused: ffmpeg would repeat the beginning."""
    with pytest.raises(UnsupportedMedia, match="pauses in the middle"):
        probe(clip("paused"))


def test_audio_that_starts_late(real: Ffmpeg, tmp_path: Path) -> None:
    """Audio that starts half a minute after the video is copied with its delay."""
    picture = rendered(tmp_path / "picture.mp4", "1", 30, *_X264, "-an")
    late = ("-i", str(picture), "-itsoffset", "28", "-i", str(clip("high")))
    maps = ("-map", "0:v", "-map", "1:a", "-c", "copy", "-f", "mp4")
    ffmpeg(*late, *maps, str(tmp_path / "source"))
    result = delivered(tmp_path / "source", tmp_path / "into", real)
    assert pytest.approx(28.0, abs=0.1) == result.probe.audio_start


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_audio_that_had_ended_before_a_cut(container: str, real: Ffmpeg, tmp_path: Path) -> None:
    """No audio track of negative length is written."""
    source = tmp_path / "source"
    cut = ("-ss", "1.5", "-i", str(clip("sound_ends")), "-c", "copy", "-f", container)
    ffmpeg(*cut, str(source))
    assert 600 < int.from_bytes(_lengths(source)[1]) / 1000
    result = delivered(source, tmp_path / "into", real)
    assert ("copy", None) == (result.method, result.probe.audio)
    assert 1 == len(_lengths(result.video))
    assert 12 == result.probe.shown_frames


def _lengths(path: Path) -> list[bytes]:
    """Return the duration in each track's header."""
    data = path.read_bytes()
    return [data[at + 24 : at + 28] for at in range(len(data)) if data[at : at + 4] == b"tkhd"]


def test_two_sample_descriptions(real: Ffmpeg, tmp_path: Path) -> None:
    """A track of two encoders is encoded, since few players read the second description."""
    result = delivered(clip("two_encoders"), tmp_path, real, _ALL)
    assert ("the video has several sample descriptions",) == result.reasons
    assert 48 == result.probe.frames
    assert 1 == content_at(result.video.read_bytes(), (*TABLE, b"stsd"))[7]


def test_frames_of_two_shapes() -> None:
    """Frames that change size or depth are not supported."""
    with pytest.raises(UnsupportedMedia, match="change size or format"):
        probe(clip("two_shapes"))


@pytest.mark.parametrize("bounds", ["too_long", "tracks"])
def test_honestly_beyond_the_bounds(bounds: str, tmp_path: Path) -> None:
    """Honest clips that are too long, or have too many tracks, are unsupported, not broken."""
    path = tmp_path / "source"
    if bounds == "tracks":
        maps = ("-map", "0:v") * 9
        ffmpeg("-i", str(clip("short")), *maps, "-c", "copy", "-f", "mp4", str(path))
    else:
        rendered(path, "1", 605, *_X264, "-an", "-f", "mp4")
    with pytest.raises(UnsupportedMedia, match=r"605 s long|9 tracks"):
        probe(path)


def test_a_part_of_a_long_frame(real: Ffmpeg, tmp_path: Path) -> None:
    """ffmpeg never shows part of a frame: losing the rest of the first is not a failure."""
    options = ("-c:v", "mpeg4", "-g", "100", "-c:a", "aac", "-f", "mp4")
    source = rendered(tmp_path / "whole", "2", 4, *options)
    ffmpeg("-ss", "1.1", "-i", str(source), "-c", "copy", "-f", "mp4", str(tmp_path / "cut"))
    result = delivered(tmp_path / "cut", tmp_path / "into", real, _ALL)
    assert 0.3 < result.source.duration - result.probe.duration < result.source.longest
    assert result.source.shown_frames == result.probe.frames


def test_fragments_with_hidden_frames(tmp_path: Path) -> None:
    """Fragments with hidden frames are refused: ffmpeg would show them."""
    flags = ("-movflags", "frag_keyframe+delay_moov", "-f", "mp4")
    ffmpeg("-ss", "0.5", "-i", str(clip("keyed")), "-c", "copy", *flags, str(tmp_path / "cut"))
    with pytest.raises(UnsupportedMedia, match="hides frames"):
        probe(tmp_path / "cut")
