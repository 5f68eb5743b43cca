"""Published sound has the loudness that is set, and its picture is still the source's."""

import subprocess
import wave
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from tests.factories.clips import clip, ffmpeg, ffmpeg_program, packets, script, tags
from worker.errors import Transient
from worker.formats.mp4 import probe
from worker.steps.transcode_tag import output_record
from worker.transcode.ffmpeg import Ffmpeg, ResourceUsage
from worker.transcode.loudness_target import LoudnessTarget, requested_loudness
from worker.transcode.normalisation import normalise
from worker.transcode.profiles import ORIGINAL, Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode
from worker.types import Json

TARGET = -14.0
NOISE = "(random({})-0.5)"
# Sounds of 4 s, by name, one expression for each channel. Bursts of 1 ms are far above the rest.
PEAKS = "0.02*(random({0})-0.5)+0.9*lt(mod(t,0.5),0.001)*sin(2*PI*3000*t)"
SOUNDS = {
    "loud": "1.6*" + NOISE.format(0) + "|1.6*" + NOISE.format(1),
    "quiet": "0.01*" + NOISE.format(0) + "|0.01*" + NOISE.format(1),
    "peaks": PEAKS.format(0) + "|" + PEAKS.format(1),
    "mono": "0.05*" + NOISE.format(0),
    "surround": "|".join("0.05*" + NOISE.format(channel) for channel in range(6)),
    "hiss": "0.0015*" + NOISE.format(0),
    "silence": "0*t",
    "too_short": "0.1*" + NOISE.format(0),
    "click": "0.1*" + NOISE.format(0) + "*lt(t,0.05)",
}


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def sounding(path: Path, name: str, *encoding: str, seconds: float = 4.0) -> Path:
    """A clip with one of the sounds."""
    sound = SOUNDS[name].replace(",", "\\,")
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[sound.count("|") + 1]
    pictures = ("-f", "lavfi", "-i", f"testsrc2=s=854x480:r=24:d={seconds}")
    sounds = ("-f", "lavfi", "-i", f"aevalsrc={sound}:s=44100:d={seconds}:c={layout}")
    picture = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "24", "-pix_fmt", "yuv420p")
    ffmpeg(
        *pictures,
        *sounds,
        *picture,
        "-profile:v",
        "high",
        *(encoding or ("-c:a", "aac")),
        str(path),
    )
    return path


def normalised(
    source: Path, into: Path, program: Ffmpeg, profile: Profile = ORIGINAL, lufs: float = TARGET
) -> TranscodeResult:
    """The result of a clip with this target."""
    target = LoudnessTarget(lufs)
    result = transcode(source, into, tags(), ffmpeg=program, profile=profile, loudness=target)
    assert {} == result.failed
    return result


def recorded(result: TranscodeResult) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
    """The loudness and the normalisation that the manifest has."""
    video = cast(Mapping[str, Json], output_record(result, {})["video"])
    loudness, normalisation = video.get("loudness", {}), video["normalisation"]
    return cast(Mapping[str, Json], loudness), cast(Mapping[str, Json], normalisation)


def heard(path: Path) -> tuple[float, float]:
    """Integrated loudness and true peak, as the summary of ffmpeg's own meter says."""
    command = [ffmpeg_program(), "-hide_banner", "-nostats", "-i", str(path), "-vn"]
    command += ["-filter:a", "ebur128=peak=true", "-f", "null", "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stderr
    words = text[text.rindex("Summary:") :].split()
    return float(words[words.index("I:") + 1]), float(words[words.index("Peak:") + 1])


def require_target(path: Path) -> None:
    """Check that the file is as loud as the target, and not louder than its peak may be."""
    loudness, peak = heard(path)
    assert pytest.approx(TARGET, abs=1.0) == loudness
    assert peak <= -1.0


@pytest.mark.parametrize("name", ["loud", "quiet", "peaks", "mono", "surround"])
def test_sound_is_as_loud_as_the_target(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Loudness is within 1 LU, the true peak at most -1 dBTP, and the picture is the source's."""
    source = sounding(tmp_path / "source.mp4", name)
    result = normalised(source, tmp_path / "into", real)
    require_target(result.video)
    assert packets(source, "v:0") == packets(result.video, "v:0")
    assert probe(source).channels == result.probe.channels
    assert ("transcode", 1) == (result.method, len(result.reasons))
    after, about = recorded(result)
    assert heard(result.video) == pytest.approx(figures(after), abs=0.5)
    assert heard(source) == pytest.approx(figures(about["source"]), abs=0.5)
    assert {"target_lufs": TARGET, "source": about["source"]} == about


def test_without_a_target(real: Ffmpeg, tmp_path: Path) -> None:
    """Sound keeps its packets, and the manifest says nothing of a target."""
    source = sounding(tmp_path / "source.mp4", "quiet")
    result = transcode(source, tmp_path / "into", tags(), ffmpeg=real)
    assert packets(source, "a:0") == packets(result.video, "a:0")
    assert "normalisation" not in cast(Mapping[str, Json], output_record(result, {})["video"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hiss", "next to silence"),
        ("silence", "silent, or shorter than 0.4 s"),
        ("too_short", "silent, or shorter than 0.4 s"),
    ],
)
def test_what_stays_as_it_is(name: str, words: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Sound without a loudness is copied, and the manifest says why."""
    source = sounding(tmp_path / "source.mp4", name, seconds=0.2 if name == "too_short" else 4)
    result = normalised(source, tmp_path / "into", real)
    assert packets(source, "a:0") == packets(result.video, "a:0")
    assert words in str(recorded(result)[1]["reason"])
    assert "copy" == result.method


def test_a_clip_without_sound(real: Ffmpeg, tmp_path: Path) -> None:
    """A clip without sound stays without sound, and the manifest says so."""
    result = normalised(clip("no_audio"), tmp_path, real)
    assert result.probe.audio is None
    assert {"target_lufs": TARGET, "reason": "the clip has no sound"} == recorded(result)[1]


def test_sound_that_fits_is_copied(real: Ffmpeg, tmp_path: Path) -> None:
    """Sound within 1 LU of the target keeps its packets; the manifest has both figures."""
    source = sounding(tmp_path / "source.mp4", "quiet")
    quiet = normalised(source, tmp_path / "quiet", real, lufs=-20)
    result = normalised(quiet.video, tmp_path / "into", real, lufs=-19.2)
    assert packets(quiet.video, "a:0") == packets(result.video, "a:0")
    after, about = recorded(result)
    assert after == about["source"]
    assert ("copy", ()) == (result.method, result.reasons)


def test_a_peak_alone_is_lowered(real: Ffmpeg, tmp_path: Path) -> None:
    """Sound of the right loudness whose true peak is above -1 dBTP is limited."""
    source = sounding(tmp_path / "source.mp4", "peaks")
    loudness, peak = heard(source)
    assert peak > -1
    result = normalised(source, tmp_path / "into", real, lufs=round(loudness))
    assert heard(result.video)[1] <= -1
    assert "its true peak is" in result.reasons[0]


@pytest.mark.parametrize("name", ["peaks", "surround"])
def test_every_file_has_the_loudness(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Renditions, the segments of HLS and the video for uploads sound like the video."""
    source = sounding(tmp_path / "source.mp4", name)
    profile = Profile.parse("web+360p+social+hls")
    result = normalised(source, tmp_path / "into", real, profile)
    names = {path.name for path in result.files if path.suffix in {".mp4", ".m4s"}}
    renditions = {"video-360p.mp4", "social.mp4", "hls-480p.m4s", "hls-360p.m4s"}
    assert {"video.mp4", *renditions} == names
    for file in names:
        require_target(result.video.with_name(file))


def test_opus_is_normalised(real: Ffmpeg, tmp_path: Path) -> None:
    """Sound that is encoded anyway has the loudness too."""
    opus = ("-c:a", "libopus", "-ar", "48000")
    source = sounding(tmp_path / "source.mp4", "quiet", *opus)
    require_target(normalised(source, tmp_path / "into", real).video)


def test_sound_stays_in_time(real: Ffmpeg, tmp_path: Path) -> None:
    """A limiter does not delay the sound: its bursts are where they were, to 2 ms."""
    source = sounding(tmp_path / "source.mp4", "peaks")
    result = normalised(source, tmp_path / "into", real)
    assert result.normalisation.gain is not None
    assert result.normalisation.gain.ceiling is not None
    assert burst(source) == pytest.approx(burst(result.video), abs=0.002)


def test_broken_sound_is_left(tmp_path: Path) -> None:
    """Sound that ffmpeg refuses stays as it is, and the manifest says why."""
    program = script(tmp_path / "ffmpeg", "echo 'Invalid data found' >&2; exit 1")
    broken = Ffmpeg(path=program, by_descriptor=True)
    source = clip("high")
    made = normalise(probe(source), source, TARGET, None, broken, usage=ResourceUsage())
    assert ((), None) == (made.reasons, made.gain)
    assert made.reason


def test_a_crash_is_tried_again(tmp_path: Path) -> None:
    """A crash of ffmpeg is not taken for broken sound: the step is tried again."""
    program = script(tmp_path / "ffmpeg", "kill -SEGV $$")
    broken = Ffmpeg(path=program, by_descriptor=True)
    source = clip("high")
    with pytest.raises(Transient):
        normalise(probe(source), source, TARGET, None, broken, usage=ResourceUsage())


def test_an_unreachable_loudness(real: Ffmpeg, tmp_path: Path) -> None:
    """A target that peaks do not allow is not forced: the peak holds, and the manifest says so."""
    result = normalised(sounding(tmp_path / "source.mp4", "click"), tmp_path / "into", real)
    assert heard(result.video)[1] <= -1
    assert "cannot be limited further" in str(recorded(result)[1]["reason"])


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, None),
        ({"loudness": "any"}, None),
        ({"falhook.loudness": "off"}, LoudnessTarget(None)),
        ({"falhook.loudness": -23}, LoudnessTarget(-23.0)),
        ({"falhook.loudness": " -16.5 "}, LoudnessTarget(-16.5)),
    ],
)
def test_metadata(metadata: dict[str, Json], expected: LoudnessTarget | None) -> None:
    """A job's metadata can request another loudness, or none."""
    assert expected == requested_loudness(metadata)


@pytest.mark.parametrize("value", ["loud", "", "-4.9", -32, 14, "nan", "-inf", True, [-14]])
def test_wrong_metadata(value: Json) -> None:
    """What is no loudness is refused, with what it may be."""
    with pytest.raises(ValueError, match="LUFS"):
        requested_loudness({"falhook.loudness": value})


def figures(record: object) -> tuple[float, float]:
    """The two figures of a loudness in the manifest."""
    assert isinstance(record, dict)
    return cast(float, record["integrated_lufs"]), cast(float, record["true_peak_dbtp"])


def burst(path: Path) -> float:
    """The second of the loudest sample from 0.25 to 0.75 s, where one of the bursts is."""
    wav = path.with_suffix(".wav")
    ffmpeg("-i", str(path), "-vn", "-ac", "1", "-ar", "48000", "-c:a", "pcm_s16le", str(wav))
    with wave.open(str(wav)) as file:
        file.setpos(12_000)
        samples = array("h", file.readframes(24_000))
    return 0.25 + max(range(len(samples)), key=lambda at: abs(samples[at])) / 48_000
