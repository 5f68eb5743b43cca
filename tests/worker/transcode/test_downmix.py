"""Sound whose layout AAC lacks becomes 5.1 or stereo, and the manifest says so."""

import re
from pathlib import Path

import pytest

from tests.factories.clips import clip, described, ffmpeg, tags
from worker.steps.transcode_tag import output_record
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

_PCM, _OPUS = ("-c:a", "pcm_s16le"), ("-c:a", "libopus", "-mapping_family")


def delivered(layout: str, channels: int, codec: tuple[str, ...], path: Path) -> TranscodeResult:
    """Deliver a clip with the same noise in every channel of this layout."""
    same = "|".join(f"c{number}=c0" for number in range(channels))
    noise = f"anoisesrc=d=1:r=48000,aformat=channel_layouts=mono,pan={layout}|{same}"
    inputs = ("-i", str(clip("no_audio")), "-f", "lavfi", "-i", noise)
    ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", "-c:v", "copy", *codec, str(path))
    return transcode(path, path.parent / "into", tags(), ffmpeg=Ffmpeg.find(None))


@pytest.mark.parametrize(
    ("layout", "channels", "expected"),
    [
        ("7.1.4", 12, "12 channels to 5.1"),
        ("5.1.4", 10, "10 channels to 5.1"),
        ("10c", 10, "10 channels to 5.1"),
        ("9.1.6", 16, "16 channels to 5.1"),
        ("hexadecagonal", 16, "16 channels to 5.1"),
        ("22.2", 24, "24 channels to 5.1"),
        ("5.1.2", 8, "8 channels to 5.1"),
    ],
)
def test_many_channels(layout: str, channels: int, expected: str, tmp_path: Path) -> None:
    """More channels than AAC has a layout for become 5.1."""
    result = delivered(layout, channels, _PCM, tmp_path / "source.mov")
    assert (expected, 6) == (output_record(result, {})["downmixed"], result.probe.channels)


@pytest.mark.parametrize(
    ("layout", "channels", "family", "expected"),
    [
        ("ambisonic 1", 4, "2", "4 ambisonic channels to stereo"),
        ("ambisonic 3", 16, "2", "16 ambisonic channels to stereo"),
        ("12c", 12, "255", "12 channels to 5.1"),
    ],
)
def test_opus(layout: str, channels: int, family: str, expected: str, tmp_path: Path) -> None:
    """Sound fields become stereo, and unnamed channels what their number suggests."""
    result = delivered(layout, channels, (*_OPUS, family), tmp_path / "source.mp4")
    assert expected == output_record(result, {})["downmixed"]


@pytest.mark.parametrize("channels", [2, 5, 6])
def test_few_channels_without_places(channels: int, tmp_path: Path) -> None:
    """Up to eight channels without places keep their number."""
    result = delivered(f"{channels}c", channels, (*_OPUS, "255"), tmp_path / "source.mp4")
    assert "downmixed" not in output_record(result, {})


@pytest.mark.parametrize(("layout", "channels"), [("7.1", 8), ("5.1", 6), ("stereo", 2)])
def test_a_layout_of_aac_is_kept(layout: str, channels: int, tmp_path: Path) -> None:
    """Sound that AAC has a layout for is not mixed."""
    result = delivered(layout, channels, _PCM, tmp_path / "source.mov")
    assert "downmixed" not in output_record(result, {})
    assert "AAC" == result.probe.audio


@pytest.mark.parametrize(
    ("layout", "channels", "kbits"),
    [("stereo", 2, 160), ("5.1", 6, 384), ("7.1", 8, 512), ("7.1.4", 12, 384)],
)
def test_each_channel_has_its_bits(layout: str, channels: int, kbits: int, tmp_path: Path) -> None:
    """Encoded sound has 160 kbit/s for stereo, and 64 for each channel of more."""
    result = delivered(layout, channels, _PCM, tmp_path / "source.mov")
    found = re.search(r"Audio: aac.*?(\d+) kb/s", described(result.video))
    assert found is not None
    assert kbits == pytest.approx(int(found[1]), rel=0.15)
