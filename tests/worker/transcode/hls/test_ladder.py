"""A ladder of the renditions has their own packets in its segments."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, packets, script, tags
from tests.factories.mp4_boxes import box
from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.mp4 import probe, read_tags
from worker.formats.tags import AI_ORIGIN
from worker.transcode.ffmpeg import Ffmpeg, Isolation, ResourceUsage
from worker.transcode.hls import build_ladder
from worker.transcode.hls.segments import segmented
from worker.transcode.outputs import Hls
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

PROFILE = Profile.parse("web+360p+preview+hls")
SMALL = Profile.parse("original+hls")


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


@pytest.fixture(scope="module")
def result(real: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> TranscodeResult:
    """A delivery with a ladder of two rungs, whose segments last half a second."""
    outputs = tuple(
        Hls(seconds=0.5) if isinstance(output, Hls) else output for output in PROFILE.outputs
    )
    profile = replace(PROFILE, outputs=outputs)
    into = tmp_path_factory.mktemp("hls")
    return transcode(clip("tall"), into, tags(), ffmpeg=real, profile=profile)


def beside(result: TranscodeResult, name: str) -> Path:
    return result.video.with_name(name)


def test_the_files(result: TranscodeResult) -> None:
    """A master playlist, and a playlist and a media file of each rung."""
    names = [path.name for path in result.files]
    assert ["hls.m3u8", "hls-480p.m3u8", "hls-480p.m4s"] == names[-5:-2]
    assert ["hls-360p.m3u8", "hls-360p.m4s"] == names[-2:]
    assert sorted(names) == sorted(path.name for path in result.video.parent.iterdir())


def test_the_master_playlist(result: TranscodeResult) -> None:
    """Rate, size and codecs match the rung: a player chooses by them."""
    lines = beside(result, "hls.m3u8").read_text().splitlines()
    assert ("#EXTM3U", "hls-360p.m3u8") == (lines[0], lines[-1])
    match = re.search(r"BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+),(.*)", lines[-2])
    assert match is not None
    assert 'RESOLUTION=360x480,FRAME-RATE=24.000,CODECS="avc1.64' in lines[-2]
    assert match[3].endswith(',mp4a.40.2"')
    assert int(match[1]) >= int(match[2]) > 10_000


def test_segments_begin_with_keyframes(result: TranscodeResult) -> None:
    """Each segment has the requested duration, since the rendition has keyframes there."""
    text = beside(result, "hls-360p.m3u8").read_text()
    lengths = [float(length) for length in re.findall(r"#EXTINF:([0-9.]+)", text)]
    assert [0.5] * 4 == pytest.approx(lengths, abs=0.05)


@pytest.mark.parametrize("stream", ["v:0", "a:0"])
def test_packets_are_the_renditions(stream: str, result: TranscodeResult, tmp_path: Path) -> None:
    """A player of the playlist gets the rendition's packets: nothing was encoded again."""
    whole = tmp_path / "whole.mp4"
    playlist = str(beside(result, "hls-360p.m3u8"))
    ffmpeg("-allowed_extensions", "ALL", "-i", playlist, "-c", "copy", str(whole))
    assert packets(whole, stream) == packets(beside(result, "video-360p.mp4"), stream)


def test_without_a_smaller_rendition(real: Ffmpeg, tmp_path: Path) -> None:
    """If no rendition is smaller than the clip, the video itself is the ladder."""
    result = transcode(clip("high"), tmp_path, tags(), ffmpeg=real, profile=PROFILE)
    assert ["hls.m3u8", "hls-180p.m3u8", "hls-180p.m4s"] == [
        path.name for path in result.files[-3:]
    ]
    assert packets(clip("high"), "v:0") == packets(result.video, "v:0")


def test_a_rung_is_smaller_than_the_video(real: Ffmpeg, tmp_path: Path) -> None:
    """Whatever the source's codec, no rendition repeats the video, and no rung another."""
    profile = Profile.parse("original+720p+360p+hls")
    result = transcode(clip("hevc"), tmp_path, tags(), ffmpeg=real, profile=profile)
    assert ("video-720p.mp4", "video-360p.mp4") == result.skipped
    names = [path.name for path in result.files]
    assert ["video.mp4", "poster.jpg", "hls.m3u8", "hls-180p.m3u8", "hls-180p.m4s"] == names
    assert 1 == beside(result, "hls.m3u8").read_text().count("hls-180p.m3u8")


def test_the_video_replaces_a_rendition_that_is_too_large(real: Ffmpeg, tmp_path: Path) -> None:
    """The best rung is as good as the largest rendition, or as the video if that is smaller."""
    profile = Profile.parse("original+720p+360p+hls")
    result = transcode(clip("tall"), tmp_path, tags(), ffmpeg=real, profile=profile)
    lines = beside(result, "hls.m3u8").read_text().splitlines()
    assert ["hls-480p.m3u8", "hls-360p.m3u8"] == [line for line in lines if line[0] != "#"]


def ladder_of(videos: list[Path], into: Path, program: Ffmpeg) -> tuple[Path, ...]:
    """The ladder of these videos, with segments of half a second."""
    return build_ladder(
        videos, Hls(seconds=0.5), into, program, stamp=tags().stamp({}), usage=ResourceUsage()
    )


@pytest.mark.parametrize(
    "spoil",
    [
        "rm fragments.mp4",
        "head -c 1000 fragments.mp4 > cut; mv cut fragments.mp4",
        "head -c 40000 fragments.mp4 > cut; mv cut fragments.mp4",
        ": > fragments.mp4",
        "sed -i s/moof/free/ fragments.mp4",
        "sed -i s/tfdt/free/ fragments.mp4",
        "sed -i s/avcC/free/ fragments.mp4",
        "sed -i s/vide/text/ fragments.mp4",
    ],
)
def test_broken_segments_are_refused(spoil: str, real: Ffmpeg, tmp_path: Path) -> None:
    """A ladder that is not the whole video is refused, whatever ffmpeg's exit code."""
    body = f'{real.path} "$@" || exit 1; {spoil}'
    liar = replace(real, path=script(tmp_path / "fake", body), isolation=Isolation.NONE)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Permanent, match="media_invalid"):
        ladder_of([clip("high")], into, liar)


def test_a_ladder_of_half_the_video_is_refused(real: Ffmpeg, tmp_path: Path) -> None:
    """Good segments that end too soon are refused too."""
    path = script(tmp_path / "fake", f'exec {real.path} -t 1 "$@"')
    liar = replace(real, path=path, isolation=Isolation.NONE)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Permanent, match=r"they last 1\.\d+ s, not 2\.00 s"):
        ladder_of([clip("high")], into, liar)


def test_lost_frames_are_refused(real: Ffmpeg, tmp_path: Path) -> None:
    """Segments of the right duration with fewer frames are refused too."""
    flags = "-movflags frag_keyframe+delay_moov+default_base_moof"
    fewer = f"{real.path} -i fragments.mp4 -c copy -bsf:v 'noise=drop=eq(n\\,20)' {flags} few.mp4"
    body = f'{real.path} "$@" && {fewer} 2> /dev/null && mv few.mp4 fragments.mp4'
    liar = replace(real, path=script(tmp_path / "fake", body), isolation=Isolation.NONE)
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(Permanent, match=r"47 of 48 frames"):
        ladder_of([clip("high")], into, liar)


def test_a_failed_ladder_is_left_out(real: Ffmpeg, tmp_path: Path) -> None:
    """The video is delivered with all other outputs, and the reason."""
    body = f'case "$*" in *fragments.mp4) exit 234;; esac; exec {real.path} "$@"'
    program = replace(real, path=script(tmp_path / "fake", body), isolation=Isolation.NONE)
    result = transcode(clip("tall"), tmp_path / "into", tags(), ffmpeg=program, profile=PROFILE)
    assert {"hls.m3u8": "ffmpeg could not read the file (exit code 234)"} == result.failed
    names = [path.name for path in result.files]
    assert ["video.mp4", "poster.jpg", "poster.webp", "video-360p.mp4", "preview.mp4"] == names


def test_the_same_without_spoiling(real: Ffmpeg, tmp_path: Path) -> None:
    """The test above can pass: without the damage, the same program's ladder is accepted."""
    result = ladder_of([clip("high")], tmp_path, real)
    assert 3 == len(result)
    assert pytest.approx(2.0, abs=0.1) == probe(clip("high")).duration


HELD = "select=not(between(n\\,12\\,83))"
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-sc_threshold", "0")


def rendered(path: Path, *arguments: str, seconds: float = 4.0) -> Path:
    """A clip of noise and a tone, 320x180 and 24 frames per second, encoded with these options."""
    picture = ("-f", "lavfi", "-i", f"testsrc2=s=320x180:r=24:d={seconds}")
    ffmpeg(*picture, "-f", "lavfi", "-i", f"sine=f=440:d={seconds}", *arguments, str(path))
    return path


def lengths(playlist: Path) -> list[float]:
    """The seconds of each segment."""
    return [float(length) for length in re.findall(r"#EXTINF:([0-9.]+)", playlist.read_text())]


def times(source: Path) -> list[float]:
    """The second at which each frame is shown, from the first, in the order of packets."""
    any_name = ("-allowed_extensions", "ALL") if source.suffix == ".m3u8" else ()
    chosen = ("-map", "0:v:0", "-c", "copy", "-f", "framehash", "-hash", "md5", "-")
    lines = ffmpeg(*any_name, "-i", str(source), *chosen).splitlines()
    (clock,) = (line.rpartition("/")[2] for line in lines if line.startswith("#tb 0: 1/"))
    shown = [int(line.split(",")[2]) / int(clock) for line in lines if line[0] != "#"]
    return [at - min(shown) for at in shown]


def test_a_long_still_picture(real: Ffmpeg, tmp_path: Path) -> None:
    """A frame that is shown for 3 s is in a segment of that length, and no frame is lost."""
    options = ("-vf", HELD, "-fps_mode", "vfr", "-c:v", "libx265", "-preset", "ultrafast")
    params = ("-x265-params", "log-level=none", "-tag:v", "hvc1", "-pix_fmt", "yuv420p")
    source = rendered(tmp_path / "held.mp4", *options, *params)
    result = transcode(source, tmp_path / "into", tags(), ffmpeg=real, profile=SMALL)
    assert [3.5, 0.5] == pytest.approx(lengths(beside(result, "hls-180p.m3u8")), abs=0.05)
    assert 3.0 < max(times(result.video)) - 0.5
    assert times(result.video) == pytest.approx(times(beside(result, "hls-180p.m3u8")), abs=0.005)


def test_segments_begin_where_they_are_due(real: Ffmpeg, tmp_path: Path) -> None:
    """Keyframes in between, as at cuts, do not move segments: rungs stay aligned."""
    forced = ("-force_key_frames", "0.5,0.9,1,1.2,1.5,1.7,1.9")
    source = rendered(tmp_path / "cuts.mp4", *X264, *forced, "-c:a", "aac", seconds=2.0)
    result = ladder_of([source], tmp_path, real)
    assert [0.5] * 4 == pytest.approx(lengths(result[1]), abs=0.05)


def test_keyframes_only(real: Ffmpeg, tmp_path: Path) -> None:
    """A clip of keyframes only has the same segments as others."""
    source = rendered(tmp_path / "intra.mp4", *X264, "-g", "1", "-c:a", "aac")
    result = ladder_of([source], tmp_path, real)
    assert [0.5] * 8 == pytest.approx(lengths(result[1]), abs=0.05)


def test_the_target_is_rounded_up(real: Ffmpeg, tmp_path: Path) -> None:
    """Players wait for the target duration: 4.5 s are not 4."""
    source = rendered(tmp_path / "slow.mp4", *X264, "-g", "108", "-c:a", "aac", seconds=9.0)
    playlist = ladder_of([source], tmp_path, real)[1]
    assert [4.5, 4.5] == pytest.approx(lengths(playlist), abs=0.05)
    assert "#EXT-X-TARGETDURATION:5\n" in playlist.read_text()


@pytest.mark.parametrize("seconds", [0.2, 2.2])
def test_rates(seconds: float, real: Ffmpeg, tmp_path: Path) -> None:
    """The peak is never less than the average, which counts only segments."""
    source = rendered(tmp_path / "short.mp4", *X264, "-g", "12", "-c:a", "aac", seconds=seconds)
    master, playlist, _ = ladder_of([source], tmp_path, real)
    sizes = [int(size) for size in re.findall(r"BYTERANGE:(\d+)@", playlist.read_text())]
    match = re.search(r"BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+),", master.read_text())
    assert match is not None
    assert 8 * sum(sizes) / sum(lengths(playlist)) == pytest.approx(int(match[2]), abs=2)
    assert int(match[1]) >= int(match[2])


@pytest.mark.parametrize(("open_gop", "independent"), [(0, True), (1, False)])
def test_independent_segments(
    open_gop: int, independent: bool, real: Ffmpeg, tmp_path: Path
) -> None:
    """Only independent segments are announced as such, not groups that refer backwards."""
    params = f"open-gop={open_gop}:keyint=12:min-keyint=12:bframes=3:b-adapt=0"
    source = rendered(tmp_path / "groups.mp4", *X264, "-x264-params", params, "-an")
    master, playlist, _ = ladder_of([source], tmp_path, real)
    assert 8 == len(lengths(playlist))
    assert independent == ("#EXT-X-INDEPENDENT-SEGMENTS" in master.read_text())


@pytest.mark.parametrize(
    ("config", "codec"),
    [
        ("1208", "mp4a.40.2"),
        ("2b0a8800", "mp4a.40.5"),
        ("eb0a8800", "mp4a.40.29"),
        ("131056e598", "mp4a.40.5"),
        ("131056e59d4880", "mp4a.40.29"),
        ("131056e500", "mp4a.40.2"),
    ],
)
def test_the_audio_codec(config: str, codec: str, real: Ffmpeg, tmp_path: Path) -> None:
    """HE-AAC is not announced as plain AAC, however it is signalled (14496-3, 1.6.5)."""
    media = ladder_of([clip("high")], tmp_path, real)[-1]
    data = media.read_bytes()
    at = data.index(b"esds") - 4
    size = int.from_bytes(data[at : at + 4])
    specific = bytes.fromhex(config)
    decoder = b"\x40\x15" + bytes(11) + bytes([5, len(specific)]) + specific
    stream = bytes(3) + bytes([4, len(decoder)]) + decoder
    esds = box(b"esds", bytes(4), bytes([3, len(stream)]), stream)
    media.write_bytes(
        data[:at] + esds + box(b"free", bytes(size - len(esds) - 8)) + data[at + size :]
    )
    assert codec == segmented(media, 2.0, probe(clip("high"))).codecs.partition(",")[2]


@pytest.mark.parametrize("name", ["turned", "tall"])
def test_the_size_is_as_displayed(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """The size in the playlist is that of the displayed picture, rotated or not."""
    master = ladder_of([clip(name)], tmp_path, real)[0]
    expected = {"turned": "180x320", "tall": "480x640"}[name]
    assert f"RESOLUTION={expected}," in master.read_text()


def test_media_files_are_tagged(result: TranscodeResult) -> None:
    """A rung has the tags of the video, and none of ffmpeg."""
    media = beside(result, "hls-360p.m4s")
    assert read_tags(result.video) == read_tags(media)
    assert AI_ORIGIN == read_tags(media)["DigitalSourceType"]
    assert tags().xmp({}) in media.read_bytes()


def test_bytes_are_counted(result: TranscodeResult) -> None:
    """The usage of a ladder includes the bytes read and written."""
    usage = result.usage["ladder"]
    files = [path for path in result.files if path.name.startswith("hls")]
    read = [result.video, beside(result, "video-360p.mp4")]
    assert sum(path.stat().st_size for path in read) == usage.bytes_in
    assert sum(path.stat().st_size for path in files) == usage.bytes_out


def test_each_run_is_counted(real: Ffmpeg, tmp_path: Path) -> None:
    """The processor time of every rung's run is counted, and the memory of the largest."""
    usage = ResourceUsage()
    build_ladder([clip("high")], Hls(), tmp_path, real, stamp=tags().stamp({}), usage=usage)
    once, memory = usage.cpu, usage.memory
    assert (True, True) == (0 < once, 10 << 20 < memory)
    build_ladder(
        [clip("tall"), clip("high")], Hls(), tmp_path, real, stamp=tags().stamp({}), usage=usage
    )
    assert 2 * once < usage.cpu


@pytest.mark.parametrize("seed", range(4))
def test_damaged_headers_are_refused(seed: int, real: Ffmpeg, tmp_path: Path) -> None:
    """Damaged headers are read, or refused as those of a broken file."""
    media = ladder_of([clip("tall")], tmp_path, real)[-1]
    good, rng = media.read_bytes(), random.Random(seed)
    heads = [at for at in range(len(good)) if good[at : at + 4] in {b"moov", b"moof", b"sidx"}]
    refused = 0
    for _ in range(300):
        data = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            at = rng.choice(heads) + rng.randrange(400)
            data[at] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
        media.write_bytes(data)
        try:
            segmented(media, 0.5, probe(clip("high")))
        except MediaError:
            refused += 1
    assert refused
