"""The manifest says where a clip is black, frozen or silent, as far as it was decoded."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.clips import clip, ffmpeg, script, tags
from worker.formats.mp4 import probe
from worker.steps.transcode_tag import output_record
from worker.transcode.command import command
from worker.transcode.ffmpeg import Ffmpeg, ResourceUsage
from worker.transcode.loudness import measured
from worker.transcode.plan import plan_outputs
from worker.transcode.profiles import ORIGINAL, Profile
from worker.transcode.runner import WATCH
from worker.transcode.stretches import MOST, Stretches, seen, unheard
from worker.transcode.transcoder import transcode
from worker.types import Json

WATCHED = Profile.parse("original+storyboard")
# 6 s: black from 1 to 2 s, for two frames at 2.5 s, and from 5.25 s on; frozen from 3 to 4 s.
BLACK = "between(T,1,1.98)+between(T,2.5,2.55)+gte(T,4.25)"
PICTURE = (
    f"testsrc2=s=640x360:r=24:d=6,geq=lum='if({BLACK},16,lum(X,Y))':cb='cb(X,Y)':cr='cr(X,Y)',"
    "loop=loop=24:size=1:start=72,setpts=N/24/TB,trim=end=6"
)
# Silent from 2 to 3.5 s, and from 5 s.
SOUND = "aevalsrc=0.3*sin(2*PI*440*t)*not(between(t\\,2\\,3.5))*lt(t\\,5):s=48000:d=6"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-profile:v", "high")
REPORTS = st.lists(
    st.tuples(st.sampled_from(["lavfi.silence_start", "lavfi.silence_end", "frame"]), st.floats())
)


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with black, frozen and silent stretches."""
    path = tmp_path_factory.mktemp("source") / "source.mp4"
    inputs = ("-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", SOUND)
    ffmpeg(*inputs, *X264, "-c:a", "aac", str(path))
    return path


def found(path: Path, into: Path, program: Ffmpeg, profile: Profile) -> dict[str, Json]:
    """The stretches in the manifest."""
    result = transcode(path, into, tags(), ffmpeg=program, profile=profile)
    assert {} == result.failed
    assert not {WATCH.file} & {file.name for file in result.files}
    video = cast(dict[str, Json], output_record(result, {})["video"])
    return cast(dict[str, Json], video.get("stretches", {}))


def times(record: Json) -> list[float]:
    """Beginnings and ends, in order."""
    stretches = cast(Sequence[dict[str, float]], record)
    return [second for stretch in stretches for second in (stretch["start"], stretch["end"])]


@pytest.mark.parametrize("profile", ["original+storyboard", "web+360p+hls+social"])
def test_stretches_of_a_clip(profile: str, source: Path, real: Ffmpeg, tmp_path: Path) -> None:
    """Each kind has its stretches of 0.5 s and more, to the end of the clip; a flash is none."""
    stretches = found(source, tmp_path, real, Profile.parse(profile))
    assert pytest.approx([1, 2, 5.25, 6], abs=0.05) == times(stretches["black"])
    assert pytest.approx([3, 4], abs=0.05) == times(stretches["frozen"])
    assert pytest.approx([2, 3.5, 5, 6], abs=0.05) == times(stretches["silent"])
    assert {"black", "frozen", "silent"} == stretches.keys()


def test_the_picture_of_a_copy_is_not_decoded(source: Path, real: Ffmpeg, tmp_path: Path) -> None:
    """A poster does not need all frames, so nothing is said of the picture."""
    assert {"silent"} == found(source, tmp_path, real, ORIGINAL).keys()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("high", []),
        ("silent", [0, 2]),
        ("sound_later_high", [0, 1.48]),
        ("later_high", [2, 3.5]),
        ("sound_ends", [0.5, 2]),
    ],
)
def test_where_nothing_is_heard(
    name: str, expected: list[float], real: Ffmpeg, tmp_path: Path
) -> None:
    """Before the sound begins and after it ends, a clip is silent too."""
    stretches = found(clip(name), tmp_path, real, ORIGINAL)
    assert pytest.approx(expected, abs=0.05) == times(stretches["silent"])


def test_a_clip_without_sound(real: Ffmpeg, tmp_path: Path) -> None:
    """A clip without sound has no silent stretches: `audio_codec` says that."""
    assert {"black": [], "frozen": []} == found(clip("no_audio"), tmp_path, real, WATCHED)


@pytest.mark.parametrize("name", ["pq", "fields", "vfr", "one_frame", "odd_size", "turned", "wide"])
def test_odd_clips(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Clips of any kind are watched without failing."""
    stretches = found(clip(name), tmp_path, real, WATCHED)
    assert {"black", "frozen"} == stretches.keys() - {"silent"}


def test_frames_are_decoded_once(real: Ffmpeg) -> None:
    """The watch takes the frames of the smallest rendition, in the same run."""
    profile = Profile.parse("web+360p")
    plan = plan_outputs(probe(clip("hevc")), profile, copied=False)
    arguments = command(plan, real)
    assert plan.decodes_all
    assert 1 == arguments[arguments.index("-filter_complex") + 1].count("[0:V:0]")


def test_an_ffmpeg_without_detectors(source: Path, real: Ffmpeg, tmp_path: Path) -> None:
    """Where the picture cannot be watched, everything else is published, and the manifest why."""
    refuse = """case "$*" in *blackdetect*) echo 'No such filter' >&2; exit 1;; esac"""
    program = script(tmp_path / "ffmpeg", f'{refuse}\nexec {real.path} "$@"')
    lacking = Ffmpeg(path=program, by_descriptor=True)
    stretches = found(source, tmp_path / "into", lacking, WATCHED)
    assert {"silent", "unmeasured"} == stretches.keys()
    reasons = cast(dict[str, str], stretches["unmeasured"])
    assert {"black", "frozen"} == reasons.keys()
    assert "ffmpeg" in reasons["black"]


def test_sound_that_cannot_be_decoded(tmp_path: Path) -> None:
    """The reason is in the manifest, beside what was seen."""
    broken = Ffmpeg(path=script(tmp_path / "ffmpeg", "exit 1"), by_descriptor=True)
    sound = measured(probe(clip("high")), clip("high"), broken, ResourceUsage())
    record = Stretches(black=()).with_silence(sound.silent, sound.reason).record()
    assert {"black": [], "unmeasured": {"silent": sound.reason}} == record


def test_many_stretches() -> None:
    """Of more than 100 the first are listed, and the manifest says how many are not."""
    record = Stretches(black=[(2.0 * at, 2.0 * at + 1) for at in range(130)], frozen=()).record()
    assert MOST == len(cast(list[Json], record["black"]))
    assert {"start": 198.0, "end": 199.0} == cast(list[Json], record["black"])[-1]
    assert {"black": 30} == record["omitted"]


@given(REPORTS)
def test_any_report(lines: list[tuple[str, float]]) -> None:
    """Whatever is reported, stretches are in order, within the clip, and at least 0.5 s long."""
    video = probe(clip("sound_later_high"))
    stretches = unheard("\n".join(f"{name}={value}" for name, value in lines), video)
    assert all(0 <= start <= end - 0.5 for start, end in stretches)
    assert all(end <= video.over for _, end in stretches)


def test_without_a_report(tmp_path: Path) -> None:
    """A clip whose frames were not all decoded has no stretches of its picture, nor a reason."""
    assert {} == seen(tmp_path / WATCH.file, probe(clip("high")), None).record()
