"""MP4s of other writers: clips that players play are copied, whatever shape their boxes have."""

from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, packets, tags
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

FRAGMENTS = "frag_keyframe+empty_moov"
SHAPES: dict[str, tuple[str, ...]] = {
    "cmaf": ("-movflags", "cmaf+frag_keyframe"),
    "one_index": ("-movflags", "dash+global_sidx+frag_keyframe"),
    "wall_clock": ("-movflags", f"{FRAGMENTS}+dash", "-write_prft", "wallclock"),
    "a_fragment_for_each_track": ("-movflags", f"{FRAGMENTS}+separate_moof"),
    "absolute_offsets": ("-movflags", "frag_keyframe"),
    "no_offsets": ("-movflags", f"{FRAGMENTS}+omit_tfhd_offset"),
    "late_header": ("-movflags", "delay_moov+frag_keyframe+dash"),
    "no_trailer": ("-movflags", f"{FRAGMENTS}+skip_trailer"),
    "smooth_streaming": ("-movflags", "isml+frag_keyframe"),
    "hybrid": ("-movflags", "hybrid_fragmented+frag_keyframe"),
    "negative_shifts": ("-movflags", "negative_cts_offsets"),
    "hints": ("-movflags", "rtphint"),
    "no_edit_list": ("-use_editlist", "0"),
    "fine_clock": ("-video_track_timescale", "1000000000"),
    "quicktime_metadata": ("-movflags", "use_metadata_tags", "-metadata", "a=b", "-f", "mov"),
    "time_code": ("-timecode", "01:00:00:00", "-f", "mov"),
    "ipod": ("-f", "ipod"),
    "psp": ("-f", "psp"),
    "flash": ("-f", "f4v"),
    "mobile": ("-f", "3gp"),
}


def delivered(source: Path) -> TranscodeResult:
    into, wanted = source.parent / "into", Profile.parse("original")
    return transcode(source, into, tags(), ffmpeg=Ffmpeg.find(None), profile=wanted)


def assert_copied(source: Path, result: TranscodeResult) -> None:
    assert ("copy", ()) == (result.method, result.reasons)
    assert packets(source, "v:0") == packets(result.video, "v:0")
    assert packets(source, "a:0") == packets(result.video, "a:0")


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_copied(name: str, tmp_path: Path) -> None:
    """All packets of the clip are delivered, and last as long."""
    source = tmp_path / "source.mp4"
    ffmpeg("-i", str(clip("high")), "-c", "copy", *SHAPES[name], str(source))
    result = delivered(source)
    assert_copied(source, result)
    assert 48 == result.probe.frames
    assert 2.0 == pytest.approx(result.probe.duration, abs=0.003)


def test_wide_media_data(tmp_path: Path) -> None:
    """Media data may state their size in 64 bits, and the header may come after them."""
    data = bytearray(clip("moov_last").read_bytes())
    free = data.index(b"free") - 4  # of 8 bytes, kept by ffmpeg for this
    size = int.from_bytes(data[free + 8 : free + 12])
    data[free : free + 16] = b"\0\0\0\1mdat" + (size + 8).to_bytes(8)
    source = tmp_path / "source.mp4"
    source.write_bytes(data)
    assert_copied(source, delivered(source))


@pytest.mark.parametrize("rate", ["60000/1001", "24000/1001", "12.5", "119.88"])
def test_any_rate_is_copied(rate: str, tmp_path: Path) -> None:
    """Frames keep their number and times at any rate."""
    source, frames = tmp_path / "source.mp4", f"testsrc2=s=320x180:r={rate}:d=2"
    sound = ("-f", "lavfi", "-i", "sine=d=2", "-pix_fmt", "yuv420p", "-c:v", "libx264")
    ffmpeg("-f", "lavfi", "-i", frames, *sound, "-preset", "ultrafast", str(source))
    result = delivered(source)
    assert_copied(source, result)
    assert result.source.duration == pytest.approx(result.probe.duration, abs=0.001)
