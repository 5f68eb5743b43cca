"""The parts of a clip that edit lists show, and when, as in ffprobe and ffmpeg."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg
from tests.factories.mp4_boxes import MovieBuilder, edits
from worker.formats.errors import UnsupportedMedia
from worker.formats.mp4 import ProbeResult, probe

_PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=160x120:r=24:d=6")
_SOUND = ("-f", "lavfi", "-i", "sine=f=440:d=6")
_X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "2")
_X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
_CODECS = {"h264": _X264, "hevc": (*_X265, "-pix_fmt", "yuv420p", "-tag:v", "hvc1")}
_MEDIA = ("-map", "0:v", "-map", "1:a")
# How a clip of 6 s is cut or delayed without encoding, and what is shown of it:
# start, seconds and frames of its video, start and seconds of its audio.
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
    """A directory with a clip of 6 s of each codec."""
    path = tmp_path_factory.mktemp("shown")
    for codec, options in _CODECS.items():
        sources = (*_PICTURE, *_SOUND, *options)
        ffmpeg(*sources, "-g", "48", "-c:a", "aac", str(path / f"{codec}.mp4"))
    return path


def moved(directory: Path, codec: str, name: str) -> Path:
    """Cut or delay the two tracks of this codec's clip with an edit list."""
    (video, audio), _ = SHOWN[name]
    path, source = directory / f"{codec}-{name}.mp4", str(directory / f"{codec}.mp4")
    ffmpeg(*video, "-i", source, *audio, "-i", source, *_MEDIA, "-c", "copy", str(path))
    return path


def presentation(probed: ProbeResult) -> tuple[float | None, ...]:
    """Return the numbers in SHOWN."""
    times = (probed.start, probed.duration, probed.shown_frames)
    return (*times, probed.audio_start, probed.audio_seconds)


@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("name", SHOWN)
def test_shown_range(codec: str, name: str, directory: Path) -> None:
    """Starts, lengths and frames match what a player shows, to one packet of audio."""
    _, expected = SHOWN[name]
    assert pytest.approx(expected, abs=0.05) == presentation(probe(moved(directory, codec, name)))


@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("name", SHOWN)
def test_ffmpeg_decodes_the_shown_frames(codec: str, name: str, directory: Path) -> None:
    """ffmpeg outputs exactly the frames that are counted as shown."""
    path = moved(directory, codec, name)
    lines = ffmpeg(
        "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough", "-f", "framehash", "-"
    )
    frames = [line for line in lines.splitlines() if not line.startswith("#")]
    assert len(frames) == probe(path).shown_frames


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="no ffprobe")
@pytest.mark.parametrize("codec", _CODECS)
@pytest.mark.parametrize("name", SHOWN)
def test_ffprobe_agrees(codec: str, name: str, directory: Path) -> None:
    """ffprobe reports the same starts and lengths of both tracks."""
    path = moved(directory, codec, name)
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=30)
    video, audio = (
        (float(stream["start_time"]), float(stream["duration"]))
        for stream in json.loads(done.stdout)["streams"]
    )
    probed = probe(path)
    assert pytest.approx(video, abs=0.03) == (probed.start, probed.duration)
    assert pytest.approx(audio, abs=0.03) == (probed.audio_start, probed.audio_seconds)


def test_without_an_edit_list(directory: Path) -> None:
    """The video starts at the first composition time, which B-frames delay."""
    path = directory / "no-edits.mp4"
    source = ("-i", str(directory / "h264.mp4"), "-map", "0:v", "-c", "copy")
    ffmpeg(*source, "-use_editlist", "0", str(path))
    probed = probe(path)
    assert pytest.approx((2 / 24, 6.0, 144)) == (probed.start, probed.duration, probed.shown_frames)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("frag_keyframe+empty_moov", (2 / 24, 6.0, 144, 0.0, 6.083)),
        ("frag_keyframe+delay_moov", (0.0, 6.0, 144, 0.0, 6.0)),
    ],
)
def test_fragments(flags: str, expected: tuple[float, ...], directory: Path) -> None:
    """All fragments are shown, with an edit list of length 0 and without one."""
    path = directory / "fragments.mp4"
    source = ("-i", str(directory / "h264.mp4"), "-c", "copy")
    ffmpeg(*source, "-movflags", flags, str(path))
    assert pytest.approx(expected, abs=0.01) == presentation(probe(path))


def test_a_clip_without_audio_has_no_audio_times() -> None:
    """Start and length of the audio are None."""
    probed = probe(clip("no_audio"))
    assert (None, None) == (probed.audio_start, probed.audio_seconds)


def _edits(*entries: tuple[int, int]) -> MovieBuilder:
    """Return a movie of two frames of 1 s; per entry, milliseconds shown, and their start."""
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
    """Delays add up, repeated samples count twice, nothing is shown after the end."""
    path = tmp_path / "file.mp4"
    path.write_bytes(_edits(*entries).bytes())
    probed = probe(path)
    assert expected == (probed.start, probed.duration, probed.shown_frames)


@pytest.mark.parametrize("entries", [((1000, 5000),), ((1000, -1),)])
def test_nothing_shown(entries: tuple[tuple[int, int], ...], tmp_path: Path) -> None:
    """A clip that shows no frame is not supported."""
    path = tmp_path / "file.mp4"
    path.write_bytes(_edits(*entries).bytes())
    with pytest.raises(UnsupportedMedia, match="shows none of its frames"):
        probe(path)
