"""A storyboard's sprite, whose frames are written without stalling the run."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, ffmpeg_program, script, tags
from worker.errors import Permanent
from worker.formats.images import size_of
from worker.transcode.ffmpeg import Advance, Ffmpeg, Isolation, ResourceLimits
from worker.transcode.outputs import Storyboard
from worker.transcode.profiles import Profile
from worker.transcode.storyboard import FRAMES, sampled, sprite
from worker.transcode.transcoder import transcode

BOARD = Storyboard()
PROFILE = Profile.parse("original+storyboard")


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def test_a_run_longer_than_the_stall_limit(real: Ffmpeg, tmp_path: Path) -> None:
    """ffmpeg reports progress while it writes a sprite's frames, so the run does not stall."""
    advances: list[Advance] = []
    rate = 'case "$*" in *"-filter_complex ["*) rate="-readrate 0.4";; esac'
    slow = script(tmp_path / "slow", f'{rate}; exec {ffmpeg_program()} $rate "$@"')
    limits = ResourceLimits(stall=3.0)
    program = replace(real, path=slow, isolation=Isolation.NONE, limits=limits)
    result = transcode(
        clip("high"),
        tmp_path / "into",
        tags(),
        ffmpeg=program,
        profile=PROFILE,
        progress=advances.append,
    )
    assert result.usage["ffmpeg"].wall > limits.stall
    underway = {advance.fraction for advance in advances} - {0.0, 1.0}
    assert 2 <= len(underway)


@pytest.mark.parametrize("seconds", [0.02, 2.0, 49.0, 51.0, 600.0])
def test_frames_have_a_short_interval(seconds: float) -> None:
    """Each frame is progress, so a long clip has more of them than tiles."""
    interval = float(sampled(BOARD, seconds).split("fps=1/")[1].split(":")[0])
    assert 0 < interval <= 2.0
    per_tile = seconds / 25 / interval
    assert pytest.approx(round(per_tile), rel=1e-2) == per_tile
    assert 1 == round(per_tile) % 2


def frames(directory: Path, seconds: float, shown: float) -> None:
    """Write the frames of a clip that gets lighter evenly, while it is shown."""
    lighter = f"nullsrc=s=160x90:r=10:d={shown},geq=lum=16+219*T/{seconds}:cb=128:cr=128"
    graph = f"{lighter},{sampled(BOARD, seconds)},format=yuvj420p"
    lossless = ("-c:v", "libx264", "-qp", "0", "-f", "mp4")
    ffmpeg("-f", "lavfi", "-i", graph, "-fps_mode", "vfr", *lossless, str(directory / FRAMES))


@pytest.mark.parametrize("seconds", [10.0, 80.0])
def test_tiles_show_the_middle_frames(seconds: float, real: Ffmpeg, tmp_path: Path) -> None:
    """Each tile shows the middle of its time, however many frames it has."""
    frames(tmp_path, seconds, seconds)
    sprite(BOARD, tmp_path, seconds, real)
    expected = [255 * (tile + 0.5) / 25 for tile in range(25)]
    assert expected == pytest.approx(tiles(tmp_path), abs=5)
    assert not (tmp_path / FRAMES).exists()


def test_a_clip_that_ends_early(real: Ffmpeg, tmp_path: Path) -> None:
    """With fewer frames than tiles the last one repeats: no tile is black."""
    frames(tmp_path, 10.0, 4.0)
    sprite(BOARD, tmp_path, 10.0, real)
    assert (800, 450) == size_of(tmp_path / BOARD.file)
    lightness = tiles(tmp_path)
    assert lightness[10:] == pytest.approx([255 * 0.4] * 15, abs=8)


def tiles(directory: Path) -> list[int]:
    """The lightness of each tile, row by row."""
    shown = ("-vf", "scale=5:5:flags=area,format=gray", "-f", "rawvideo", str(directory / "gray"))
    ffmpeg("-i", str(directory / BOARD.file), *shown)
    return list((directory / "gray").read_bytes())


def test_a_storyboard_without_frames(real: Ffmpeg, tmp_path: Path) -> None:
    """A run that wrote no frames although it exited with 0 is refused."""
    with pytest.raises(Permanent, match=r"media_invalid.*frames of the storyboard are missing"):
        sprite(BOARD, tmp_path, 2.0, real)
