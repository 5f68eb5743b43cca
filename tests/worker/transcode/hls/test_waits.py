"""Tracks that begin or end at different times are shown and heard at theirs, in a browser too."""

import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests import ROOT
from tests.factories.browser import PLAYER, Played, played
from tests.factories.clips import ffmpeg, tags
from worker.formats.mp4.boxes import Box, Walk
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.hls.waits import waits
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

PICTURE = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "24")
_CLOSELY = 0.5  # seconds between two looks, a third of the shortest wait that is told from none
FAST = ("-movflags", "+faststart")


def clip_of(path: Path, picture: float, sound: float, *, sound_from: float = 0.0) -> Path:
    """A clip of so many seconds of each; with a negative `sound_from` the picture is later."""
    whole = path.with_name("whole.mp4")
    pictures = ("-f", "lavfi", "-i", f"testsrc2=s=320x180:r=24:d={picture}")
    sounds = ("-f", "lavfi", "-i", f"sine=f=440:d={sound}")
    ffmpeg(*pictures, *sounds, *PICTURE, "-c:a", "aac", *FAST, str(whole))
    shown, heard = (("-itsoffset", str(max(0.0, late))) for late in (-sound_from, sound_from))
    inputs = (*shown, "-i", str(whole), *heard, "-i", str(whole))
    ffmpeg(*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", *FAST, str(path))
    return path


def laddered(source: Path, into: Path) -> TranscodeResult:
    """The clip with a ladder of one rung, its own packets."""
    profile = Profile.parse("original+hls")
    return transcode(source, into, tags(), ffmpeg=Ffmpeg.find(None), profile=profile)


def headers(media: Path) -> tuple[Box, list[Box]]:
    """The movie header of a fragmented file, and the headers of its fragments."""
    walk = Walk()
    with media.open("rb") as file:
        extents = list(walk.extents(file, media.stat().st_size))
        boxes = [walk.load(file, box) for box in extents if box.kind in {"moov", "moof"}]
    return boxes[0], boxes[1:]


def first_times(media: Path) -> dict[int, int]:
    """The time of the first fragment of each track, in ticks of its clock."""
    times: dict[int, int] = {}
    for moof in headers(media)[1]:
        for traf in moof.all("traf"):
            body = traf.need("tfdt").body
            time = int.from_bytes(body[4 : 12 if body[0] else 8])
            times.setdefault(traf.need("tfhd").u32(4), time)
    return times


@pytest.mark.parametrize(
    ("sound_from", "expected"),
    [(1.5, {1: 0.0, 2: 1.477}), (-1.5, {1: 1.5, 2: 0.0}), (-0.25, {1: 0.25, 2: 0.0})],
)
def test_fragments_carry_the_wait(
    sound_from: float, expected: dict[int, float], tmp_path: Path
) -> None:
    """Fragments begin when their track does, and no edit list delays them a second time."""
    source = clip_of(tmp_path / "source.mp4", 4, 4, sound_from=sound_from)
    media = laddered(source, tmp_path / "into").video.with_name("hls-180p.m4s")
    moov, _ = headers(media)
    assert {0} == set(waits(moov).values())
    clocks = [trak.need("mdia", "mdhd").u32(12) for trak in moov.all("trak")]
    times = {track: time / clocks[track - 1] for track, time in first_times(media).items()}
    assert expected == pytest.approx(times, abs=0.05)


def test_every_fragment_is_delayed(tmp_path: Path) -> None:
    """Sound that is 1.5 s later is so in every fragment: their distances stay the same."""
    source = clip_of(tmp_path / "source.mp4", 4, 4, sound_from=1.5)
    media = laddered(source, tmp_path / "into").video.with_name("hls-180p.m4s")
    shown = ["-map", "0:a", "-c", "copy", "-f", "framehash", "-hash", "md5", "-"]
    lines = ffmpeg("-i", str(media), *shown).splitlines()
    (clock,) = (int(line.rpartition("/")[2]) for line in lines if line.startswith("#tb 0"))
    times = [int(line.split(",")[2]) / clock for line in lines if line[0] != "#"]
    assert 1.477 == pytest.approx(times[0], abs=0.03)
    distances = {round(after - before, 2) for before, after in pairwise(times)}
    assert {0.02} == distances - {0.03}


def test_a_picture_later_than_a_segment_is_held(tmp_path: Path) -> None:
    """The first segment has a picture: the first frame, from the beginning on."""
    source = clip_of(tmp_path / "source.mp4", 4, 8, sound_from=-3.5)
    result = laddered(source, tmp_path / "into")
    assert {} == dict(result.failed)
    media = result.video.with_name("hls-180p.m4s")
    assert 0 == first_times(media)[1]
    text = media.with_suffix(".m3u8").read_text()
    assert 8.0 == pytest.approx(sum(map(float, re.findall(r"EXTINF:([0-9.]+)", text))), abs=0.1)


BROWSED: dict[str, tuple[tuple[float, float, float], float, float]] = {
    "sound_later": ((4, 4, 1.5), 5.5, 1.5),
    "picture_later": ((4, 4, -0.25), 4.25, 0.0),
    "picture_later_by_less_than_a_segment": ((4, 4, -1.5), 5.5, 0.0),
    "sound_later_than_a_segment": ((4, 4, 3.5), 7.5, 3.5),
    "picture_later_than_a_segment": ((4, 4, -3.5), 7.5, 0.0),
    "sound_ends_early": ((9, 2.5, 0.0), 9.0, 0.0),
}


@pytest.mark.parametrize("name", BROWSED)
def test_in_a_browser(name: str, tmp_path: Path) -> None:
    """hls.js in Chromium plays the whole clip, and the sound is heard when it is due."""
    (picture, sound, sound_from), duration, heard = BROWSED[name]
    source = clip_of(tmp_path / "source.mp4", picture, sound, sound_from=sound_from)
    result = laddered(source, tmp_path / "into")
    _agrees(_listened(result.video.with_name("hls.m3u8")), duration, heard)


def test_the_video_in_a_browser(tmp_path: Path) -> None:
    """The video itself is shown at the same times, natively."""
    source = clip_of(tmp_path / "source.mp4", 4, 4, sound_from=1.5)
    _agrees(_listened(laddered(source, tmp_path / "into").video), 5.5, 1.5)


def _listened(path: Path) -> Played:
    """Play it, again if a loaded machine did not listen closely when the sound began."""
    for _ in range(3):
        seen = played(path)
        if seen.heard and seen.heard[0] - seen.silent[0] < _CLOSELY:
            break
    return seen


def _agrees(seen: Played, duration: float, heard: float) -> None:
    assert ([], 0) == (seen.errors, seen.jumps)
    assert duration == pytest.approx(seen.duration, abs=0.05)
    silent, loud = seen.silent[0], seen.heard[0]
    assert loud - silent < _CLOSELY
    assert silent - 0.15 < heard < loud + 0.15


def test_the_player_is_the_one_that_is_named() -> None:
    """tests/vendor/README.md names the file's hash, and its licence is beside it."""
    digest = hashlib.sha256(PLAYER.read_bytes()).hexdigest()
    assert digest in (ROOT / "tests" / "vendor" / "README.md").read_text()
    assert PLAYER.with_name("hls.js.LICENSE").is_file()
