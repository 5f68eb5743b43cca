"""One MP4 that plays everywhere and its poster, verified before they are used."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, packets, script, tags
from tests.factories.mp4_boxes import HOSTILE, UNSUPPORTED
from worker.errors import Permanent, Transient
from worker.formats.errors import MediaError
from worker.formats.images import size_of
from worker.formats.mp4 import read_tags
from worker.formats.tags import AI_ORIGIN
from worker.transcode.ffmpeg import Advance, Ffmpeg, Isolation
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

CONFORMING = [
    "high",
    "main",
    "baseline",
    "moov_last",
    "no_audio",
    "fragmented",
    "quicktime",
    "two_sounds",
    "turned",
]


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


@pytest.fixture
def unstartable(tmp_path: Path) -> Ffmpeg:
    """An ffmpeg that would fail with another reason if it were started."""
    return Ffmpeg(path=tmp_path / "no-such-program", by_descriptor=True)


def delivered(name: str, into: Path, program: Ffmpeg) -> TranscodeResult:
    return transcode(clip(name), into, tags(), ffmpeg=program)


@pytest.mark.parametrize("name", CONFORMING)
def test_conforming_is_copied_packet_for_packet(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """A stream that conforms is never encoded again, whatever container it came in."""
    result = delivered(name, tmp_path, real)
    assert ("copy", ()) == (result.method, result.reasons)
    assert packets(clip(name), "v:0") == packets(result.video, "v:0")
    if result.source.audio:
        assert packets(clip(name), "a:0") == packets(result.video, "a:0")
    assert result.source.rotation == result.probe.rotation


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ten_bit", "10 bits"),
        ("full_chroma", "4:4:4"),
        ("hevc", "HEVC"),
        ("hevc_ten_bit", "HEVC"),
        ("vp9", "VP9"),
        ("odd_size", "VP9"),
        ("prores", "ProRes"),
        ("opus", "audio is Opus"),
        ("turned_hevc", "HEVC"),
    ],
)
def test_other_formats_are_encoded(name: str, reason: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Other formats become H.264 4:2:0 of 8 bits and AAC, with reasons."""
    result = delivered(name, tmp_path, real)
    found = result.probe
    assert "transcode" == result.method
    assert any(reason in why for why in result.reasons)
    assert ("avc1", 8, "4:2:0") == (found.fourcc, found.bit_depth, found.chroma)
    assert ("AAC" if result.source.audio else None) == found.audio
    assert pytest.approx(result.source.duration, abs=0.1) == found.duration
    assert result.source.frames == found.frames


@pytest.mark.parametrize("name", ["high", "hevc", "moov_last", "fragmented", "no_audio"])
def test_every_delivery_can_be_streamed(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """The header comes first and the file is complete, so a player starts immediately."""
    result = delivered(name, tmp_path, real)
    assert result.probe.faststart
    assert not result.probe.fragmented


def test_only_nonconforming_streams_are_encoded(real: Ffmpeg, tmp_path: Path) -> None:
    """Audio in another format does not make the video be encoded again."""
    result = delivered("opus", tmp_path, real)
    assert packets(clip("opus"), "v:0") == packets(result.video, "v:0")


def test_odd_sizes_lose_a_row_and_a_column(real: Ffmpeg, tmp_path: Path) -> None:
    """4:2:0 has no odd sizes; 321x181 becomes 320x180 without being resampled."""
    result = delivered("odd_size", tmp_path, real)
    assert (321, 181) == (result.source.width, result.source.height)
    assert (320, 180) == (result.probe.width, result.probe.height)


def test_a_rotated_video_is_encoded_upright(real: Ffmpeg, tmp_path: Path) -> None:
    """Players do not have to rotate an encoded video."""
    result = delivered("turned_hevc", tmp_path, real)
    assert 90 == result.source.rotation
    assert (0, 180, 320) == (result.probe.rotation, result.probe.width, result.probe.height)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("high", (320, 180)),
        ("hevc", (320, 180)),
        ("short", (320, 180)),
        ("turned", (180, 320)),
        ("turned_hevc", (180, 320)),
        ("odd_size", (320, 180)),
        ("wide", (1280, 50)),
    ],
)
def test_poster(name: str, size: tuple[int, int], real: Ffmpeg, tmp_path: Path) -> None:
    """The poster is a complete, upright JPEG, at most 1280 pixels wide, that decodes."""
    result = delivered(name, tmp_path, real)
    assert size == size_of(result.poster)
    ffmpeg("-xerror", "-i", str(result.poster), "-f", "null", "-")


def test_poster_shows_the_first_second(real: Ffmpeg, tmp_path: Path) -> None:
    """The poster is the frame at one second, not the first, which is often black."""
    result = delivered("high", tmp_path, real)
    likeness = [_likeness(result.poster, clip("high"), frame) for frame in (0, 24, 47)]
    assert 1 == likeness.index(max(likeness))


def _likeness(poster: Path, video: Path, frame: int) -> float:
    """The structural similarity of the poster and one frame of the video, up to 1."""
    log = poster.parent / f"ssim-{frame}"
    still = poster.parent / f"frame-{frame}.png"
    ffmpeg("-i", str(video), "-vf", f"select=eq(n\\,{frame})", "-frames:v", "1", str(still))
    graph = f"[0][1]ssim=stats_file={log}"
    ffmpeg("-i", str(poster), "-i", str(still), "-lavfi", graph, "-f", "null", "-")
    return float(log.read_text().split("All:")[1].split()[0])


@pytest.mark.parametrize("name", ["high", "hevc"])
def test_tags_read_back(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """The tags of a copied or encoded file are read by us and by ffmpeg."""
    result = delivered(name, tmp_path, real)
    expected = {
        "title": "A fox in the snow",
        "comment": f"made for a test | AI-generated (DigitalSourceType={AI_ORIGIN})",
        "date": "2026-03-04T05:06:07Z",
        "DigitalSourceType": AI_ORIGIN,
        "falhook.job_id": "job-1",
        "falhook.endpoint": "fal-ai/kling-video/v2.1/master/text-to-video",
        "falhook.request_id": "request-1",
    }
    found = read_tags(result.video)
    assert expected == {key: found.get(key) for key in expected}
    lines = ffmpeg("-i", str(result.video), "-f", "ffmetadata", "-").replace("\\", "").splitlines()
    shown = dict(line.split("=", 1) for line in lines if "=" in line)
    assert expected["title"] == shown["title"]
    assert expected["comment"] == shown["comment"]
    assert AI_ORIGIN == shown["DigitalSourceType"]
    assert "job-1" == shown["falhook.job_id"]


def test_tags_of_any_text(real: Ffmpeg, tmp_path: Path) -> None:
    """Line breaks, NUL, lone surrogates and sheer length cannot break the command or the file."""
    nasty = tags(title="a\0b\ud800\n=;#" + "ü" * 5000, comment="", request_id="")
    result = transcode(clip("high"), tmp_path, nasty, ffmpeg=real)
    found = read_tags(result.video)
    assert ("a b  =;#" + "ü" * 5000)[: len(found["title"])] == found["title"]
    assert 1000 <= len(found["title"]) < 1200
    assert f"AI-generated (DigitalSourceType={AI_ORIGIN})" == found["comment"]
    assert "falhook.request_id" not in found


def test_only_the_providers_label_is_kept(real: Ffmpeg, tmp_path: Path) -> None:
    """A provider's own AI label is kept; other tags of the source, perhaps a prompt, are not."""
    source = tmp_path / "source"
    metadata = ("-metadata", "AIGC=label", "-metadata", "description=prompt")
    flags = ("-movflags", "use_metadata_tags", "-f", "mp4")
    ffmpeg("-i", str(clip("high")), "-c", "copy", *metadata, *flags, str(source))
    found = read_tags(transcode(source, tmp_path, tags(), ffmpeg=real).video)
    assert "label" == found["AIGC"]
    assert "prompt" not in "".join(found.values())


@pytest.mark.parametrize("by_descriptor", [True, False])
def test_progress_grows_to_one(by_descriptor: bool, real: Ffmpeg, tmp_path: Path) -> None:
    """Fractions grow, and end with a single 1 once everything is verified."""
    advances: list[Advance] = []
    program = replace(real, by_descriptor=by_descriptor)
    transcode(clip("hevc"), tmp_path, tags(), ffmpeg=program, progress=advances.append)
    fractions = [advance.fraction for advance in advances]
    assert sorted(fractions) == fractions
    assert (1.0, 1) == (fractions[-1], fractions.count(1.0))
    assert 48 == advances[-1].frames


def test_again_into_the_same_directory(real: Ffmpeg, tmp_path: Path) -> None:
    """A step that runs twice writes the same bytes."""
    first = delivered("hevc", tmp_path, real).video.read_bytes()
    assert first == delivered("hevc", tmp_path, real).video.read_bytes()


@pytest.mark.parametrize("name", [*HOSTILE, *UNSUPPORTED])
def test_hostile_never_reaches_ffmpeg(name: str, unstartable: Ffmpeg, tmp_path: Path) -> None:
    """Each hostile file is refused before a decoder is started, and leaves no output."""
    make, words = (HOSTILE | UNSUPPORTED)[name]
    (tmp_path / "source").write_bytes(make())
    with pytest.raises(MediaError) as error:
        transcode(tmp_path / "source", tmp_path / "into", tags(), ffmpeg=unstartable)
    assert words in error.value.sentence
    assert not (tmp_path / "into").exists()


def test_a_good_file_does_reach_ffmpeg(unstartable: Ffmpeg, tmp_path: Path) -> None:
    """The same program is started for a good file: the test above can fail."""
    with pytest.raises(Transient, match="could not be started"):
        delivered("high", tmp_path / "into", unstartable)


@pytest.mark.parametrize("name", ["high", "hevc"])
def test_a_stream_that_does_not_decode(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Decoding of the poster detects bad media data even if everything else is copied."""
    data = bytearray(clip(name).read_bytes())
    begin = data.find(b"mdat") + 4
    end = begin + 2000 if begin > data.find(b"moov") else data.find(b"moov") - 4
    data[begin:end] = b"\xff" * (end - begin)
    (tmp_path / "source").write_bytes(data)
    with pytest.raises(Permanent, match="media_invalid"):
        transcode(tmp_path / "source", tmp_path / "into", tags(), ffmpeg=real)


@pytest.mark.parametrize(
    ("video", "poster", "words"),
    [
        ("", "poster", "output is missing"),
        ("good", "", "output is missing"),
        ("short", "poster", "it lasts 0.50 s, not 2.00 s"),
        ("no_audio", "poster", "audio is lost"),
        ("ten_bit", "poster", "not in the delivery format"),
        ("fragmented", "poster", "in fragments"),
        ("slow", "poster", "less than half of the frames"),
        ("broken", "poster", "cut short"),
        ("good", "half", "poster.jpg is not a picture"),
        ("good", "text", "poster.jpg is not a picture"),
    ],
)
def test_exit_code_0_proves_nothing(
    video: str, poster: str, words: str, real: Ffmpeg, tmp_path: Path
) -> None:
    """Outputs that are missing, short, or otherwise wrong are refused."""
    good = delivered("hevc", tmp_path / "good-ones", real)
    shutil.copy(good.video, tmp_path / "good")
    shutil.copy(good.poster, tmp_path / "poster")
    (tmp_path / "half").write_bytes(good.poster.read_bytes()[:-100])
    (tmp_path / "text").write_bytes(b"no picture")
    (tmp_path / "broken").write_bytes(good.video.read_bytes()[:-100])
    for name in ("short", "no_audio", "ten_bit", "fragmented", "slow"):
        shutil.copy(clip(name), tmp_path / name)
    copies = [
        f"cp '{tmp_path / output}' {name}"
        for output, name in ((video, "video.mp4"), (poster, "poster.jpg"))
        if output
    ]
    liar = replace(
        real, isolation=Isolation.NONE, path=script(tmp_path / "fake", "\n".join(copies))
    )
    with pytest.raises(Permanent, match="media_invalid") as error:
        delivered("hevc", tmp_path / "into", liar)
    assert words in error.value.sentence


def test_frames_lost_in_a_copy_are_refused(real: Ffmpeg, tmp_path: Path) -> None:
    """A copy by ffmpeg that lacks frames is refused, although its duration is right."""
    good = delivered("fragmented", tmp_path / "good", real)
    copies = f"cp '{clip('slow')}' video.mp4; cp '{good.poster}' poster.jpg"
    liar = replace(real, isolation=Isolation.NONE, path=script(tmp_path / "fake", copies))
    with pytest.raises(Permanent, match="16 of 48 frames came through"):
        delivered("fragmented", tmp_path / "into", liar)
