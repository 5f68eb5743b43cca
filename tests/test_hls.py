"""worker.hls: a ladder of the renditions, segment by segment their own packets."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.media_factories import clip, ffmpeg, packets, script, tags
from worker.failures import Permanent
from worker.ffmpeg import Ffmpeg, Isolation
from worker.hls import ladder
from worker.media import Delivery, deliver
from worker.mp4 import probe
from worker.profiles import Hls, Profile

PROFILE = Profile.parse("web+360p+preview+hls")


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The ffmpeg that the product would find."""
    return Ffmpeg.find(None)


@pytest.fixture(scope="module")
def made(real: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """A delivery with a ladder of one rung, whose segments last half a second."""
    outputs = tuple(
        Hls(seconds=0.5) if isinstance(output, Hls) else output for output in PROFILE.outputs
    )
    profile = replace(PROFILE, outputs=outputs)
    into = tmp_path_factory.mktemp("hls")
    return deliver(clip("tall"), into, tags(), ffmpeg=real, profile=profile)


def beside(made: Delivery, name: str) -> Path:
    return made.video.with_name(name)


def test_the_files(made: Delivery) -> None:
    """A master playlist, and a playlist and a media file of each rung."""
    names = [path.name for path in made.files]
    assert ["hls.m3u8", "hls-360p.m3u8", "hls-360p.m4s"] == names[-3:]
    assert sorted(names) == sorted(path.name for path in made.video.parent.iterdir())


def test_the_master_playlist(made: Delivery) -> None:
    """Rate, size and codecs are those of the rung, as a player needs them to choose."""
    lines = beside(made, "hls.m3u8").read_text().splitlines()
    assert ("#EXTM3U", "hls-360p.m3u8") == (lines[0], lines[-1])
    found = re.search(r"BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+),(.*)", lines[-2])
    assert found is not None
    assert 'RESOLUTION=360x480,FRAME-RATE=24.000,CODECS="avc1.64' in lines[-2]
    assert found[3].endswith(',mp4a.40.2"')
    assert int(found[1]) >= int(found[2]) > 10_000


def test_segments_begin_with_keyframes(made: Delivery) -> None:
    """Each segment lasts what was asked, since the rendition has its keyframes there."""
    text = beside(made, "hls-360p.m3u8").read_text()
    lengths = [float(length) for length in re.findall(r"#EXTINF:([0-9.]+)", text)]
    assert [0.5] * 4 == pytest.approx(lengths, abs=0.05)


@pytest.mark.parametrize("stream", ["v:0", "a:0"])
def test_packets_are_the_renditions(stream: str, made: Delivery, tmp_path: Path) -> None:
    """A player of the playlist gets the rendition's packets: nothing was encoded again."""
    whole = tmp_path / "whole.mp4"
    playlist = str(beside(made, "hls-360p.m3u8"))
    ffmpeg("-allowed_extensions", "ALL", "-i", playlist, "-c", "copy", str(whole))
    assert packets(beside(made, "video-360p.mp4"), stream) == packets(whole, stream)


def test_without_a_smaller_rendition(real: Ffmpeg, tmp_path: Path) -> None:
    """Where no rendition is smaller than the clip, the video itself is the ladder."""
    made = deliver(clip("high"), tmp_path, tags(), ffmpeg=real, profile=PROFILE)
    assert ["hls.m3u8", "hls-180p.m3u8", "hls-180p.m4s"] == [path.name for path in made.files[-3:]]
    assert packets(clip("high"), "v:0") == packets(made.video, "v:0")


def test_a_rung_is_smaller_than_the_video(real: Ffmpeg, tmp_path: Path) -> None:
    """Whatever the source's codec, no rendition repeats the video, and no rung another."""
    asked = Profile.parse("original+720p+360p+hls")
    made = deliver(clip("hevc"), tmp_path, tags(), ffmpeg=real, profile=asked)
    assert ("video-720p.mp4", "video-360p.mp4") == made.skipped
    names = [path.name for path in made.files]
    assert ["video.mp4", "poster.jpg", "hls.m3u8", "hls-180p.m3u8", "hls-180p.m4s"] == names
    assert 1 == beside(made, "hls.m3u8").read_text().count("hls-180p.m3u8")


def test_the_video_stands_for_a_rendition_it_has_no_lines_for(real: Ffmpeg, tmp_path: Path) -> None:
    """The best rung is no worse than what was asked for, or than the video where that is less."""
    asked = Profile.parse("original+720p+360p+hls")
    made = deliver(clip("tall"), tmp_path, tags(), ffmpeg=real, profile=asked)
    lines = beside(made, "hls.m3u8").read_text().splitlines()
    assert ["hls-480p.m3u8", "hls-360p.m3u8"] == [line for line in lines if line[0] != "#"]


@pytest.mark.parametrize(
    "spoil",
    [
        "rm hls-180p.m4s",
        "head -c 1000 hls-180p.m4s > cut; mv cut hls-180p.m4s",
        "sed -i s/EXT-X-ENDLIST/EXT-X-GAP/ hls-180p.m3u8",
        "sed -i 's/#EXTINF:[0-9.]*/#EXTINF:0.1/' hls-180p.m3u8",
        "sed -i '/EXT-X-MAP/d' hls-180p.m3u8",
        "sed -i '/^#EXT-X-BYTERANGE/s/@.*/@7/' hls-180p.m3u8",
        ": > hls-180p.m3u8",
    ],
)
def test_broken_segments_are_noticed(spoil: str, real: Ffmpeg, tmp_path: Path) -> None:
    """A ladder that is not the whole video is not delivered, whatever ffmpeg's exit code."""
    body = f'{real.path} "$@" || exit 1; {spoil}'
    liar = replace(real, path=script(tmp_path / "fake", body), isolation=Isolation.NONE)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Permanent, match="media_invalid"):
        ladder([clip("high")], Hls(), into, liar)


def test_the_same_without_spoiling(real: Ffmpeg, tmp_path: Path) -> None:
    """The test above can pass: unspoilt, the same program's ladder is taken."""
    made = ladder([clip("high")], Hls(), tmp_path, real)
    assert 3 == len(made)
    assert pytest.approx(2.0, abs=0.1) == probe(clip("high")).duration
