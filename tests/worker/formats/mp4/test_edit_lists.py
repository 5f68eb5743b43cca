"""What edit lists show of a clip, and when, as ffprobe and ffmpeg tell it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.factories.clips import MovieBuilder, clip, edits, ffmpeg
from worker.formats.errors import UnsupportedMedia
from worker.formats.mp4 import ProbeResult, probe

_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=160x120:r=24:d=6")
_SOUND = ("-f", "lavfi", "-i", "sine=f=440:d=6")
_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "2")
_X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
_CODECS = {"h264": _X264, "hevc": (*_X265, "-pix_fmt", "yuv420p", "-tag:v", "hvc1")}
_MEDIA = ("-map", "0:v", "-map", "1:a")
# How a clip is cut or shifted without encoding, and what is shown of its 6 s then:
# start, seconds and frames of its video, start and seconds of its sound.
SHOWN = {
    "whole": (((), ()), (0.0, 6.0, 144, 0.0, 6.0)),
    "cut": ((("-ss", "4.5"), ("-ss", "4.5")), (0.0, 1.5, 36, 0.0, 1.5)),
    "cut_short": ((("-ss", "5.5"), ("-ss", "5.5")), (0.0, 0.5, 12, 0.0, 0.5)),
    "video_later": ((("-itsoffset", "1.5"), ()), (1.5, 6.0, 144, 0.0, 6.0)),
    "sound_later": (((), ("-itsoffset", "1.25")), (0.0, 6.0, 144, 1.25, 6.0)),
    "sound_shorter": (((), ("-t", "2")), (0.0, 6.0, 144, 0.0, 2.0)),
    "video_cut": ((("-ss", "4.5"), ()), (0.0, 1.5, 36, 0.0, 6.0)),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the clips of 6 s lie, one of each codec."""
    made = tmp_path_factory.mktemp("shown")
    for codec, options in _CODECS.items():
        sources = (*_PICTURE, *_SOUND, *options)
        ffmpeg(*sources, "-g", "48", "-c:a", "aac", str(made / f"{codec}.mp4"))
    return made


def moved(directory: Path, codec: str, name: str) -> Path:
    """The clip of this codec, its two tracks cut or shifted with an edit list."""
    (video, audio), _ = SHOWN[name]
    path, source = directory / f"{codec}-{name}.mp4", str(directory / f"{codec}.mp4")
    ffmpeg(*video, "-i", source, *audio, "-i", source, *_MEDIA, "-c", "copy", str(path))
    return path


def told(found: ProbeResult) -> tuple[float | None, ...]:
    """What is asked of each clip."""
    times = (found.start, found.duration, found.shown_frames)
    return (*times, found.audio_start, found.audio_seconds)


@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("name", SHOWN)
def test_what_is_shown(codec: str, name: str, directory: Path) -> None:
    """Starts, lengths and frames are those of what a player shows, to a packet of sound."""
    _, expected = SHOWN[name]
    assert pytest.approx(expected, abs=0.05) == told(probe(moved(directory, codec, name)))


@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("name", SHOWN)
def test_as_many_frames_are_decoded(codec: str, name: str, directory: Path) -> None:
    """ffmpeg gives the frames that are counted as shown, no more and no fewer."""
    path = moved(directory, codec, name)
    lines = ffmpeg(
        "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough", "-f", "framehash", "-"
    )
    frames = [line for line in lines.splitlines() if not line.startswith("#")]
    assert len(frames) == probe(path).shown_frames


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="no ffprobe")
@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("name", SHOWN)
def test_ffprobe_tells_the_same(codec: str, name: str, directory: Path) -> None:
    """Starts and lengths of both tracks."""
    path = moved(directory, codec, name)
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=30)
    video, audio = (
        (float(stream["start_time"]), float(stream["duration"]))
        for stream in json.loads(done.stdout)["streams"]
    )
    found = probe(path)
    assert pytest.approx(video, abs=0.03) == (found.start, found.duration)
    assert pytest.approx(audio, abs=0.03) == (found.audio_start, found.audio_seconds)


def test_without_an_edit_list(directory: Path) -> None:
    """The first frame is shown when it is composed: B-frames shift it."""
    path = directory / "no-edits.mp4"
    source = ("-i", str(directory / "h264.mp4"), "-map", "0:v", "-c", "copy")
    ffmpeg(*source, "-use_editlist", "0", str(path))
    found = probe(path)
    assert pytest.approx((2 / 24, 6.0, 144)) == (found.start, found.duration, found.shown_frames)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("frag_keyframe+empty_moov", (2 / 24, 6.0, 144, 0.0, 6.083)),
        ("frag_keyframe+delay_moov", (0.0, 6.0, 144, 0.0, 6.0)),
    ],
)
def test_of_fragments(flags: str, expected: tuple[float, ...], directory: Path) -> None:
    """All of them are shown, with an edit list that knows no length, and without one."""
    path = directory / "fragments.mp4"
    source = ("-i", str(directory / "h264.mp4"), "-c", "copy")
    ffmpeg(*source, "-movflags", flags, str(path))
    assert pytest.approx(expected, abs=0.01) == told(probe(path))


def test_a_silent_clip_has_no_times_of_sound() -> None:
    """Neither a start nor a length."""
    found = probe(clip("no_audio"))
    assert (None, None) == (found.audio_start, found.audio_seconds)


def _edits(*entries: tuple[int, int]) -> MovieBuilder:
    """Two frames of 1 s; per entry, milliseconds that are shown, and from when."""
    return MovieBuilder(edits=edits(*entries))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (((2000, 0),), (0.0, 2.0, 2)),
        (((500, -1), (250, -1), (2000, 0)), (0.75, 2.0, 2)),
        (((1000, 1000),), (0.0, 1.0, 1)),
        (((9000, 1000),), (0.0, 1.0, 1)),
        (((0, 0),), (0.0, 2.0, 2)),
        (((2000, 0), (1000, 0)), (0.0, 3.0, 3)),
        (((-500, 0),), (0.0, 2.0, 2)),
        (((12_000, -1), (2000, 0)), (12.0, 2.0, 2)),
        ((), (0.0, 2.0, 2)),
    ],
)
def test_edits(
    entries: tuple[tuple[int, int], ...], expected: tuple[float, float, int], tmp_path: Path
) -> None:
    """Waits add up, what is shown twice counts twice, nothing is shown after the end."""
    path = tmp_path / "file.mp4"
    path.write_bytes(_edits(*entries).bytes())
    found = probe(path)
    assert expected == (found.start, found.duration, found.shown_frames)


@pytest.mark.parametrize("entries", [((1000, 5000),), ((1000, -1),)])
def test_nothing_shown(entries: tuple[tuple[int, int], ...], tmp_path: Path) -> None:
    """A clip that shows no frame is not handled: no decoder would give one."""
    path = tmp_path / "file.mp4"
    path.write_bytes(_edits(*entries).bytes())
    with pytest.raises(UnsupportedMedia, match="shows none of its frames"):
        probe(path)
