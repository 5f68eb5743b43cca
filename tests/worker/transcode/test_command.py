"""Every output of every profile, from clips of all kinds, in one run of ffmpeg."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import clip, described, ffmpeg, packets, script, tags
from worker.errors import Permanent, Transient
from worker.formats.images import size_of
from worker.formats.mp4 import ProbeResult, probe, read_tags
from worker.formats.tags import AI_ORIGIN
from worker.steps.transcode_tag import output_record
from worker.transcode.command import command
from worker.transcode.conformance import encoding_reasons
from worker.transcode.ffmpeg import Ffmpeg, FfmpegUnusable, Isolation, ResourceLimits, ResourceUsage
from worker.transcode.ffmpeg.exit_status import failure
from worker.transcode.ffmpeg.sandbox import ProcessResult
from worker.transcode.finishing import copy_tagged
from worker.transcode.outputs import AVIF
from worker.transcode.plan import Plan, plan_outputs
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode
from worker.transcode.verification import verify_output

ALL = "web+720p+360p+av1+avif+preview+storyboard+blurhash"


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


@pytest.fixture(scope="module")
def everything(real: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> TranscodeResult:
    """All outputs of a clip of 480x640 pixels."""
    into = tmp_path_factory.mktemp("everything")
    return transcode(clip("tall"), into, tags(), ffmpeg=real, profile=Profile.parse(ALL))


def named(result: TranscodeResult, name: str) -> Path:
    return result.video.with_name(name)


def delivered(name: str, into: Path, program: Ffmpeg, profile: str) -> TranscodeResult:
    return transcode(clip(name), into, tags(), ffmpeg=program, profile=Profile.parse(profile))


def shape(found: ProbeResult) -> tuple[str, int, int, int]:
    return found.fourcc, found.width, found.height, found.frames


def test_every_output_is_written(everything: TranscodeResult) -> None:
    """Every output of the profile exists, except renditions no smaller than the clip."""
    expected = [
        "video.mp4",
        "poster.jpg",
        "poster.webp",
        "video-360p.mp4",
        "video-av1.mp4",
        "poster.avif",
        "preview.mp4",
        "storyboard.jpg",
        "storyboard.vtt",
    ]
    assert expected == [path.name for path in everything.files]
    assert sorted(expected) == sorted(path.name for path in everything.video.parent.iterdir())
    assert ("video-720p.mp4",) == everything.skipped


def test_the_source_is_read_once(real: Ffmpeg) -> None:
    """However many outputs, there is one input, and one place in the graph that reads it."""
    profile = Profile.parse(ALL)
    plan = Plan(source=probe(clip("tall")), master="transcode", lines=1080, outputs=profile.outputs)
    arguments = command(plan, real)
    assert "-i" not in arguments
    assert 1 == arguments[arguments.index("-filter_complex") + 1].count("[0:V:0]")


def test_reported_frames_are_those_of_a_whole_video(real: Ffmpeg) -> None:
    """ffmpeg reports the frames of its first output: the largest rendition, never a still."""
    source = probe(clip("tall"))
    profile = Profile.parse("original+webp+preview+storyboard+360p")
    plan = Plan(source=source, master=None, lines=None, outputs=profile.outputs)
    files = [word for word in command(plan, real) if word.endswith((".mp4", ".jpg", ".webp"))]
    assert "video-360p.mp4" == files[0]
    assert ["poster.jpg", "poster.webp"] == files[-2:]


def test_a_conforming_master_is_still_copied(everything: TranscodeResult) -> None:
    """Other outputs do not make the video itself be encoded."""
    assert "copy" == everything.method
    assert packets(clip("tall"), "v:0") == packets(everything.video, "v:0")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("video-360p.mp4", ("avc1", 360, 480, 48)),
        ("video-av1.mp4", ("av01", 480, 640, 48)),
        ("preview.mp4", ("avc1", 320, 426, 20)),
    ],
)
def test_videos(
    name: str, expected: tuple[str, int, int, int], everything: TranscodeResult
) -> None:
    """Each video has its codec, size and number of frames, and can be streamed."""
    found = probe(named(everything, name))
    assert expected == shape(found)
    assert found.faststart
    assert pytest.approx(2.0, abs=0.05) == found.duration


def test_sound(everything: TranscodeResult) -> None:
    """Renditions have the source's sound, packet for packet; the preview has none."""
    for name in ("video-360p.mp4", "video-av1.mp4"):
        assert packets(clip("tall"), "a:0") == packets(named(everything, name), "a:0")
    assert probe(named(everything, "preview.mp4")).audio is None


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("poster.jpg", (480, 640)),
        ("poster.webp", (480, 640)),
        ("poster.avif", (480, 640)),
        ("storyboard.jpg", (800, 1060)),
    ],
)
def test_pictures(name: str, size: tuple[int, int], everything: TranscodeResult) -> None:
    """Each picture has its size, and decodes."""
    path = named(everything, name)
    assert size == size_of(path)
    ffmpeg("-xerror", "-i", str(path), "-f", "null", "-")


def test_storyboard_shows_the_clip_in_order(everything: TranscodeResult, tmp_path: Path) -> None:
    """Each cue's tile is the clip at that time: the best matches are on the diagonal."""
    cues = named(everything, "storyboard.vtt").read_text().split("\n\n")[1:]
    assert 25 == len(cues)
    assert cues[0].startswith("00:00:00.000 --> 00:00:00.080\nstoryboard.jpg#xywh=0,0,160,212")
    assert "--> 00:00:02.000\nstoryboard.jpg#xywh=640,848,160,212" in cues[-1]
    tile = "crop=160:212:{}:{},scale=16:16,format=gray"
    board = str(named(everything, "storyboard.jpg"))
    for cue, seconds in ((2, 0.2), (12, 1.0), (22, 1.8)):
        row, column = divmod(cue, 5)
        shown = _gray(tmp_path, "-i", board, "-vf", tile.format(160 * column, 212 * row))
        near = _frame(tmp_path, seconds)
        far = [
            _frame(tmp_path, second_picture)
            for second_picture in (0.2, 1.0, 1.8)
            if second_picture != seconds
        ]
        assert _distance(shown, near) < min(
            _distance(shown, second_picture) for second_picture in far
        )


def _frame(directory: Path, seconds: float) -> bytes:
    options = ("-i", str(clip("tall")), "-vf", "scale=16:16,format=gray")
    return _gray(directory, "-ss", str(seconds), *options)


def _gray(directory: Path, *arguments: str) -> bytes:
    path = directory / "gray"
    ffmpeg(*arguments, "-frames:v", "1", "-f", "rawvideo", str(path))
    return path.read_bytes()


def _distance(first_picture: bytes, second_picture: bytes) -> int:
    return sum(abs(a - b) for a, b in zip(first_picture, second_picture, strict=True))


def test_blurhash_is_of_the_poster(everything: TranscodeResult) -> None:
    """The hash has 4x3 waves, 28 characters, and is not that of a black picture."""
    assert everything.blurhash is not None
    assert ("L", 28) == (everything.blurhash[0], len(everything.blurhash))
    assert "00000f" not in everything.blurhash


def test_every_video_is_tagged(everything: TranscodeResult) -> None:
    """Renditions have the tags of the master."""
    for path in everything.files:
        if path.suffix == ".mp4":
            assert "job-1" == read_tags(path)["falhook.job_id"]


def test_every_picture_is_tagged(everything: TranscodeResult) -> None:
    """Pictures are marked as created by a model."""
    pictures = [path for path in everything.files if path.suffix in {".jpg", ".webp", ".avif"}]
    assert 4 == len(pictures)
    for path in pictures:
        assert AI_ORIGIN.encode() in path.read_bytes()


@pytest.mark.parametrize("was", [b"iloc\0", b"ispe", b"iinf\0"])
def test_a_picture_that_cannot_be_tagged(
    was: bytes, everything: TranscodeResult, tmp_path: Path
) -> None:
    """An AVIF of another layout, which cannot be tagged, is refused."""
    poster = tmp_path / "poster.avif"
    poster.write_bytes(
        named(everything, "poster.avif").read_bytes().replace(was, b"free\0"[: len(was)])
    )
    with pytest.raises(Permanent, match=r"poster\.avif is not a picture"):
        verify_output(poster, AVIF, everything.source)


def test_web_limits_the_lines(real: Ffmpeg, tmp_path: Path) -> None:
    """A conforming clip with more lines than the profile allows is scaled down, with a reason."""
    profile = replace(Profile.parse("web"), lines=240)
    result = transcode(clip("tall"), tmp_path, tags(), ffmpeg=real, profile=profile)
    assert ("transcode", ("it has 480 lines, more than 240",)) == (result.method, result.reasons)
    assert ("avc1", 240, 320, 48) == shape(result.probe)


def test_variable_frame_rate_stays(real: Ffmpeg, tmp_path: Path) -> None:
    """Frames at uneven distances keep their times: no frame is doubled or dropped."""
    result = delivered("vfr", tmp_path, real, "original")
    assert _times(clip("vfr")) == pytest.approx(_times(result.video), abs=0.001)


def _times(path: Path) -> list[float]:
    chosen = ("-map", "0:v:0", "-f", "framehash", "-hash", "crc32", "-")
    lines = ffmpeg("-i", str(path), *chosen).splitlines()
    base = next(line for line in lines if line.startswith("#tb")).split()[-1].split("/")
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    return [int(row[2]) * int(base[0]) / int(base[1]) for row in rows]


@pytest.mark.parametrize(
    ("name", "colours"),
    [
        ("colours", "yuv420p(tv, bt709"),
        ("colours_601", "yuv420p(tv, smpte170m"),
        ("colours_full", "(pc, bt709"),
    ],
)
def test_colours_stay(name: str, colours: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Encoded outputs have the range, primaries, transfer and matrix of the source."""
    assert colours in described(clip(name))
    result = delivered(name, tmp_path, real, "original+preview+av1")
    for video in (result.video, named(result, "preview.mp4"), named(result, "video-av1.mp4")):
        assert colours in described(video)


@pytest.mark.parametrize("name", ["poster.jpg", "poster.webp", "poster.avif"])
def test_colours_of_pictures(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Pictures are BT.601 whatever the video is: a BT.709 green is the same green on a poster."""
    result = delivered("green", tmp_path, real, "web+avif")
    first = ("-frames:v", "1", "-vf", "scale=1:1", "-pix_fmt", "rgb24", "-f", "rawvideo")
    seen = []
    for path in (clip("green"), named(result, name)):
        ffmpeg("-i", str(path), *first, str(tmp_path / "rgb"))
        seen.append(list((tmp_path / "rgb").read_bytes()))
    assert seen[0] == pytest.approx(seen[1], abs=6)


def test_square_pixels_in_renditions(real: Ffmpeg, tmp_path: Path) -> None:
    """A rendition of a clip with other pixels has square ones, and the displayed shape."""
    result = delivered("anamorphic", tmp_path, real, "web+av1")
    assert ("av01", 426, 240, 48) == shape(probe(named(result, "video-av1.mp4")))


@pytest.mark.parametrize("clear", ["alpha", "alpha_xq"])
def test_transparent_is_black(clear: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Transparent parts of a video with an alpha channel become black, and hide what is there."""
    result = delivered(clear, tmp_path, real, "web")
    assert "alpha" not in described(result.video)
    for name in ("video.mp4", "poster.jpg"):
        seen = _gray(tmp_path, "-i", str(named(result, name)), "-vf", "scale=16:16,format=gray")
        assert max(seen) <= 20


@pytest.mark.parametrize(
    "name", ["keyed", "uneven", "cut", "late", "fragmented", "short", "long_end", "hevc"]
)
def test_a_poster_by_seeking_is_the_same(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """If only stills are written, frames are skipped, but the same one is taken."""
    alone = delivered(name, tmp_path / "alone", real, "original+webp+avif+blurhash")
    beside = delivered(name, tmp_path / "beside", real, "original+webp+avif+blurhash+preview")
    for still in ("poster.jpg", "poster.webp", "poster.avif"):
        assert named(beside, still).read_bytes() == named(alone, still).read_bytes()
    assert beside.blurhash == alone.blurhash


@pytest.mark.parametrize(
    ("name", "profile", "seek"),
    [
        ("keyed", "original+webp+blurhash+hls", 1.0),
        ("short", "original", 0.25),
        ("keyed", "original+preview", 0.0),
        ("hevc", "original", 0.0),
        ("fragmented", "original", 0.0),
    ],
)
def test_seek(name: str, profile: str, seek: float, tmp_path: Path) -> None:
    """Frames are skipped only if no other output, such as the video, needs them."""
    source = probe(clip(name))
    parsed = Profile.parse(profile)
    copied = not encoding_reasons(source, parsed.lines) and copy_tagged(
        clip(name), tmp_path / "video.mp4", tags().stamp({})
    )
    assert seek == plan_outputs(source, parsed, copied=copied).seek


def test_seeking_skips_frames(real: Ffmpeg, tmp_path: Path) -> None:
    """The decoder begins at the last keyframe before the moment, and frames keep their times."""
    counted = ["-map", "0:V:0", "-frames:v", "1", "-f", "framecrc", "first"]
    for seek in (0.0, 1.0):
        real.run(counted, source=clip("keyed"), cwd=tmp_path, duration=None, seek=seek)
        first = (tmp_path / "first").read_text().splitlines()[-1].split(",")
        base = (tmp_path / "first").read_text().split("#tb 0: ")[1].split()[0].split("/")
        start = int(first[2]) * int(base[0]) / int(base[1])
        assert (0.0 if seek == 0 else pytest.approx(21 / 24)) == start


@pytest.mark.parametrize("profile", ["original+blurhash", "web+360p+preview+storyboard+blurhash"])
def test_a_clip_without_a_frame_at_its_middle(profile: str, real: Ffmpeg, tmp_path: Path) -> None:
    """If the last frame is shown for most of the clip, it is the poster."""
    assert (2, True) == (probe(clip("long_end")).frames, probe(clip("long_end")).duration > 2)
    result = delivered("long_end", tmp_path, real, profile)
    assert (320, 180) == size_of(result.poster)
    assert result.blurhash
    distances = [_unlike(result.poster, clip("long_end"), frame, tmp_path) for frame in (0, 1)]
    assert distances[1] < distances[0]


def _unlike(poster: Path, video: Path, frame: int, directory: Path) -> int:
    chosen = ("-vf", f"select=eq(n\\,{frame}),scale=out_range=full,format=gray")
    shown = _gray(directory, "-i", str(video), *chosen)
    return _distance(_gray(directory, "-i", str(poster), "-vf", "format=gray"), shown)


@pytest.mark.parametrize("name", ["one_frame", "two_frames"])
def test_clips_of_one_or_two_frames(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Every output is also created from a clip of one or two frames."""
    result = delivered(name, tmp_path, real, f"{ALL}+hls")
    assert 2 >= result.source.frames == result.probe.frames
    assert (10.0, 1) == (
        probe(named(result, "preview.mp4")).fps,
        probe(named(result, "preview.mp4")).frames,
    )


@pytest.mark.parametrize("name", ["silent", "two_pictures", "two_sounds", "no_audio"])
def test_tracks(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """The first track of each kind is kept; silence counts as sound."""
    result = delivered(name, tmp_path, real, "original")
    shown = described(result.video)
    assert 1 == shown.count(" Video: ")
    assert (0 if name == "no_audio" else 1) == shown.count(" Audio: ")
    assert packets(clip(name), "v:0") == packets(result.video, "v:0")


@pytest.mark.parametrize("program", [None, "ffmpeg"])
def test_4k_within_the_limits(program: str | None, tmp_path: Path) -> None:
    """Every output of the largest clips, in HDR too, stays within the memory limit."""
    try:
        build = Ffmpeg.find(program)
    except FfmpegUnusable as unusable:
        pytest.skip(str(unusable))
    result = delivered("uhd", tmp_path, build, "original+720p+360p+av1+preview+storyboard+blurhash")
    assert ("PQ", 2160) == (result.source.colour.hdr, result.probe.lines)


@pytest.mark.parametrize(
    ("code", "stderr"), [(245, ""), (1, "x264 [error]: malloc of size 26999616 failed")]
)
def test_lack_of_memory_is_transient(code: int, stderr: str) -> None:
    """A run that failed for lack of memory is tried again."""
    usage = ResourceUsage()
    error = failure(
        ProcessResult(code=code, cut=None, stderr=stderr, usage=usage), ResourceLimits()
    )
    assert isinstance(error, Transient)
    assert "memory" in error.sentence


def test_a_missing_encoder_is_named(real: Ffmpeg, tmp_path: Path) -> None:
    """A profile that this ffmpeg cannot encode is refused before ffmpeg is started."""
    poor = replace(real, lacks=frozenset({"libwebp"}), path=tmp_path / "never-started")
    with pytest.raises(Permanent, match=r"no encoder libwebp.*profile web needs"):
        delivered("high", tmp_path / "into", poor, "web")


def wrong(name: str, everything: TranscodeResult, real: Ffmpeg, directory: Path) -> Ffmpeg:
    """A program that writes one wrong output among good ones, and exits with 0."""
    spoilt = clip("high" if name.endswith("mp4") else "short")
    copies = [
        f"cp {everything.video.parent}/* .",
        "touch frames.mp4",
        "head -c 3072 /dev/zero > blur.rgb",
        f"cp {spoilt} {name}",
    ]
    path = script(directory / "fake", "\n".join(copies))
    return replace(real, isolation=Isolation.NONE, path=path)


@pytest.mark.parametrize("name", ["poster.jpg", "poster.webp"])
def test_each_output_is_verified(
    name: str, everything: TranscodeResult, real: Ffmpeg, tmp_path: Path
) -> None:
    """One wrong output that is not an extra is enough for a refusal."""
    liar = wrong(name, everything, real, tmp_path)
    with pytest.raises(Permanent, match=f"media_invalid.*{name}"):
        delivered("tall", tmp_path / "into", liar, ALL)


@pytest.mark.parametrize("name", ["video-360p.mp4", "preview.mp4", "storyboard.jpg"])
def test_an_extra_that_is_wrong_is_left_out(
    name: str, everything: TranscodeResult, real: Ffmpeg, tmp_path: Path
) -> None:
    """The video was paid for: it is delivered with all else that was made, and the reason."""
    result = delivered("tall", tmp_path / "into", wrong(name, everything, real, tmp_path), ALL)
    assert [name] == list(result.failed)
    assert name in result.failed[name]
    beside = name.replace("storyboard.jpg", "storyboard.vtt")
    expected = [path.name for path in everything.files if path.name not in {name, beside}]
    assert expected == [path.name for path in result.files]
    assert result.failed == output_record(result, {})["failed"]
    assert ("video-720p.mp4",) == result.skipped


def without(encoder: str, real: Ffmpeg, directory: Path, then: str) -> Ffmpeg:
    """A program that ends like this where an output is to be made with such an encoder."""
    body = f'case " $* " in *" {encoder} "*) {then};; esac; exec {real.path} "$@"'
    return replace(real, isolation=Isolation.NONE, path=script(directory / "fake", body))


def test_an_extra_that_fails_the_run_fails_no_other(real: Ffmpeg, tmp_path: Path) -> None:
    """If an extra makes the whole run fail, all other outputs are still created."""
    program = without("libsvtav1", real, tmp_path, "exit 234")
    result = delivered("hevc", tmp_path / "into", program, "web+av1+avif+preview+storyboard+hls")
    assert ["video-av1.mp4", "poster.avif"] == list(result.failed)
    assert {"ffmpeg could not read the file (exit code 234)"} == set(result.failed.values())
    names = {path.name for path in result.files}
    assert {"video.mp4", "poster.webp", "preview.mp4", "storyboard.vtt", "hls.m3u8"} <= names
    assert not names & set(result.failed)
    assert result.source.frames == result.probe.frames


def test_a_failed_master_or_poster_fails_the_clip(real: Ffmpeg, tmp_path: Path) -> None:
    """A video or poster that cannot be created is not an extra: the clip fails."""
    for encoder, name in (("libx264", "hevc"), ("mjpeg", "high")):
        program = without(encoder, real, tmp_path, "exit 234")
        with pytest.raises(Permanent, match="media_invalid"):
            delivered(name, tmp_path / encoder, program, "original+avif+blurhash")


def test_a_timeout_does_not_drop_an_extra(real: Ffmpeg, tmp_path: Path) -> None:
    """An overloaded machine may have the time later: the job fails, and can be retried."""
    slow = without("libsvtav1", real, tmp_path, "exec sleep 30")
    program = replace(slow, limits=ResourceLimits(wall=0.5, stall=30.0))
    with pytest.raises(Permanent, match="media_timeout"):
        delivered("high", tmp_path / "into", program, "original+avif")


def test_usage_by_part(everything: TranscodeResult) -> None:
    """Each part of the work has its seconds and bytes; ffmpeg's memory is its own."""
    usage = everything.usage
    assert [
        "preflight",
        "copy",
        "ffmpeg",
        "verify",
        "tag",
        "verify tags",
        "sign",
    ] == list(usage)
    assert usage["ffmpeg"].cpu > 0.1
    assert 20 << 20 < usage["ffmpeg"].memory < 2 << 30
    assert clip("tall").stat().st_size == usage["copy"].bytes_in
    assert sum(path.stat().st_size for path in everything.files) == usage["tag"].bytes_out
    json.dumps([part.record() for part in usage.values()])


@pytest.fixture(scope="module")
def system_ffmpeg() -> Ffmpeg:
    """Another build, perhaps older and without the fd protocol."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg of the system")
    try:
        return Ffmpeg.find("ffmpeg")
    except FfmpegUnusable as unusable:
        pytest.skip(str(unusable))


@pytest.mark.parametrize("name", ["tall", "turned_hevc"])
def test_the_systems_ffmpeg_creates_the_same(
    name: str, system_ffmpeg: Ffmpeg, tmp_path: Path
) -> None:
    """Another build creates every output too."""
    avif = "" if "libsvtav1" in system_ffmpeg.lacks else "+avif"
    profile = f"original{avif}+360p+preview+storyboard+blurhash+hls"
    result = delivered(name, tmp_path, system_ffmpeg, profile)
    assert {".mp4", ".jpg", *([".avif"] if avif else []), ".vtt", ".m3u8", ".m4s"} == {
        path.suffix for path in result.files
    }
    assert result.source.frames == result.probe.frames


def test_the_systems_ffmpeg_keeps_times(system_ffmpeg: Ffmpeg, tmp_path: Path) -> None:
    """Another build does not double or drop frames at uneven distances."""
    result = delivered("vfr", tmp_path, system_ffmpeg, "original")
    assert _times(clip("vfr")) == pytest.approx(_times(result.video), abs=0.001)


@pytest.mark.parametrize("name", ["keyed", "late", "long_end"])
def test_the_systems_ffmpeg_seeks_the_same(
    name: str, system_ffmpeg: Ffmpeg, tmp_path: Path
) -> None:
    """Another build takes the same frame with and without seeking."""
    alone = delivered(name, tmp_path / "alone", system_ffmpeg, "original")
    beside = delivered(name, tmp_path / "beside", system_ffmpeg, "original+preview")
    assert beside.poster.read_bytes() == alone.poster.read_bytes()
