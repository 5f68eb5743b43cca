"""HDR becomes SDR in every output that is encoded, with matching colour tags."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import clip, described, ffmpeg, tags
from tests.factories.mp4_boxes import MovieBuilder, box
from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.mp4 import Colour, probe
from worker.formats.mp4.colour import BT709
from worker.transcode.conformance import video_reasons
from worker.transcode.ffmpeg import Ffmpeg, FfmpegUnusable
from worker.transcode.outputs import Preview, Rendition
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.tone_mapping import FILTERS, sdr
from worker.transcode.transcoder import transcode
from worker.transcode.verification import verify_output

ALL = Profile.parse("web+av1+preview+storyboard+blurhash")
HDR = {
    "pq": "HDR (PQ)",
    "pq_unstated": "HDR (PQ)",
    "pq_h264": "HDR (PQ)",
    "pq_8_bits": "HDR (PQ)",
    "pq_prores": "HDR (PQ)",
    "pq_odd": "HDR (PQ)",
    "hlg": "HDR (HLG)",
    "pq_stated_709": "HDR (PQ)",
    "pq_half_stated": "HDR (PQ)",
    "pq_h264_stated_709": "HDR (PQ)",
}
# The usual way, written by hand; 26 cd/m2 are 18 % grey and stay what they are in SDR.
BY_HAND = (
    "zscale=tin=smpte2084:pin=2020:min=2020_ncl:t=linear:npl=203,format=gbrpf32le,zscale=p=709,"
    "tonemap=mobius:desat=0,zscale=t=709:m=709:r=limited,format=yuv420p"
)
GREY, WHITE = 107, 213  # of 255, as the display shows them
GREEN = [20, 200, 60]
BT601, BT470BG, UNSTATED = 6, 5, 2


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def delivered(name: str, into: Path, program: Ffmpeg, profile: Profile = ALL) -> TranscodeResult:
    return transcode(clip(name), into, tags(), ffmpeg=program, profile=profile)


def halves(path: Path, scratch: Path, *before: str) -> list[int]:
    """The lightness of the left and the right half of the first frame, 0 to 255."""
    shown = ",".join((*before, "scale=2:1:flags=area", "format=gray"))
    raw = scratch / "gray"
    ffmpeg("-i", str(path), "-frames:v", "1", "-vf", shown, "-f", "rawvideo", str(raw))
    return list(raw.read_bytes())


@pytest.mark.parametrize("name", HDR)
def test_everything_is_sdr(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """Grey is grey and white is light in every video and picture, whatever the kind of HDR."""
    result = delivered(name, tmp_path, real)
    assert f"the colours are {HDR[name]}, not SDR" in result.reasons
    for path in result.files:
        if path.stem != "storyboard":
            assert [GREY, WHITE] == pytest.approx(halves(path, tmp_path), abs=4), path.name


@pytest.mark.parametrize("name", ["pq", "hlg", "wide_gamut"])
def test_outputs_are_tagged_bt709(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """The colour tags of each video match its new samples, in stream and container."""
    result = delivered(name, tmp_path, real)
    videos = [path for path in result.files if path.suffix == ".mp4"]
    assert 3 == len(videos)
    for path in videos:
        assert Colour(primaries=BT709, transfer=BT709, matrix=BT709) == probe(path).colour
        assert "yuv420p(tv, bt709" in described(path)


def test_as_by_hand(real: Ffmpeg, tmp_path: Path) -> None:
    """The picture equals that of a hand-written command, unlike one without tone mapping."""
    result = delivered("pq", tmp_path, real)
    by_hand = halves(clip("pq"), tmp_path, BY_HAND)
    assert by_hand == pytest.approx(halves(result.video, tmp_path), abs=3)
    flat = halves(clip("pq"), tmp_path, "setparams=color_trc=bt709:colorspace=bt709")
    assert flat[1] - flat[0] < (by_hand[1] - by_hand[0]) / 2


def test_wide_gamut_is_sdr(real: Ffmpeg, tmp_path: Path) -> None:
    """BT.2020 of standard range only changes its primaries: white stays white."""
    result = delivered("wide_gamut", tmp_path, real)
    assert "the colours are BT.2020, not SDR" in result.reasons
    assert 250 <= halves(result.video, tmp_path)[1]


@pytest.mark.parametrize("name", ["pq_8_bits", "pq_h264"])
def test_hdr_never_conforms(name: str) -> None:
    """H.264 in HDR is not copied, even with 8 bits."""
    assert any("HDR" in reason for reason in video_reasons(probe(clip(name))))


@pytest.mark.parametrize("colr", [b"", b"ncl", b"nclx", b"nclx\0\x09\0\x10\0", b"prof" + bytes(9)])
def test_any_colr_box(colr: bytes, tmp_path: Path) -> None:
    """A colr box without colours is ignored, a truncated one refused."""
    (tmp_path / "movie").write_bytes(
        MovieBuilder(avcc=MovieBuilder().avcc + box(b"colr", colr)).bytes()
    )
    if not colr.startswith(b"nclx"):
        assert Colour() == probe(tmp_path / "movie").colour
        return
    with pytest.raises(MediaError, match=r"media_invalid.*shorter than the fields"):
        probe(tmp_path / "movie")


@pytest.mark.parametrize("name", ["high", "colours", "ten_bit", "hevc_ten_bit", "prores", "vp9"])
def test_sdr_is_left_alone(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """SDR and unspecified colours get no filter and no reason."""
    result = delivered(name, tmp_path, real, Profile.parse("original"))
    assert "" == sdr(result.source)
    assert not any("colours" in reason for reason in result.reasons)


@pytest.mark.parametrize("lacking", ["zscale", "tonemap"])
def test_a_missing_filter_is_named(lacking: str, real: Ffmpeg, tmp_path: Path) -> None:
    """HDR is refused, with the correction, if ffmpeg lacks a filter."""
    poor = replace(real, lacks=frozenset({lacking}))
    with pytest.raises(Permanent, match=rf"no filter {lacking}.*HDR \(PQ\).*FALHOOK_FFMPEG"):
        delivered("pq", tmp_path, poor)
    assert delivered("hevc", tmp_path, poor, Profile.parse("original")).files


@pytest.mark.parametrize("output", [Rendition(file="small.mp4", lines=180), Preview(width=320)])
def test_hdr_outputs_are_refused(output: Rendition | Preview) -> None:
    """An output in HDR is refused, whatever program wrote it."""
    source = probe(clip("pq_8_bits"))
    with pytest.raises(Permanent, match=rf"colours of {output.file} are HDR"):
        verify_output(clip("pq_8_bits"), output, source)


def test_the_systems_ffmpeg_maps_the_same(tmp_path: Path) -> None:
    """Another build maps HDR to the same light."""
    try:
        systems = Ffmpeg.find("ffmpeg")
    except FfmpegUnusable as unusable:
        pytest.skip(str(unusable))
    if systems.lacks & FILTERS:
        pytest.skip(f"{systems.path} has no zscale or tonemap")
    result = delivered("pq_unstated", tmp_path, systems, Profile.parse("original+360p"))
    for path in (result.video, result.poster):
        assert [GREY, WHITE] == pytest.approx(halves(path, tmp_path), abs=4)


@pytest.mark.parametrize("name", ["hd", "hd_hevc", "hd_601", "hd_601_hevc", "sd"])
def test_missing_colours_are_read_like_players(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """HD without colour codes in headers and stream is BT.709; smaller clips are BT.601."""
    assert b"colr" not in clip(name).read_bytes()
    result = delivered(name, tmp_path, real, Profile.parse("web+360p+preview"))
    for path in (result.poster, result.poster.with_suffix(".webp")):
        assert GREEN == pytest.approx(shown(path, tmp_path), abs=6), path.name
    for path in (result.video.with_name("video-360p.mp4"), result.video.with_name("preview.mp4")):
        if path.exists():
            assert GREEN == pytest.approx(shown(path, tmp_path), abs=6), path.name


@pytest.mark.parametrize("codec", ["h264", "vp9", "hevc", "hevc_10", "av1", "prores"])
def test_a_matrix_alone_is_kept(codec: str, real: Ffmpeg, tmp_path: Path) -> None:
    """A matrix that the stream states is kept if it states nothing else, in every output."""
    result = delivered(f"partly_470_{codec}", tmp_path, real, Profile.parse("web+360p+preview"))
    primaries = BT709 if result.method == "transcode" else UNSTATED
    assert (BT470BG, primaries) == (result.source.colour.matrix, result.probe.colour.primaries)
    assert BT470BG == result.probe.colour.matrix
    for path in result.files:
        assert GREEN == pytest.approx(shown(path, tmp_path), abs=6), path.name


@pytest.mark.parametrize("codec", ["hevc", "av1", "prores"])
@pytest.mark.parametrize("stated", ["alone", "with_matrix", "with_primaries"])
def test_hdr_that_is_stated_in_part(stated: str, codec: str, real: Ffmpeg, tmp_path: Path) -> None:
    """PQ is HDR, whatever else the stream states."""
    name = f"partly_pq_{stated}_{codec}"
    result = delivered(name, tmp_path, real, Profile.parse("original+preview"))
    assert "the colours are HDR (PQ), not SDR" in result.reasons
    for path in result.files:
        assert [GREY, WHITE] == pytest.approx(halves(path, tmp_path), abs=5), path.name


@pytest.mark.parametrize("name", ["cut_hd_hevc", "cut_hd_vp9", "cut_mpeg4"])
def test_colours_of_a_cut(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """A clip that begins between keyframes, without colours in its headers, is delivered."""
    result = delivered(name, tmp_path, real, Profile.parse("original"))
    assert result.source.shown_frames == result.probe.frames < result.source.frames


@pytest.mark.parametrize(("name", "code"), [("rgb", BT709), ("rgb_vp9", BT709), ("rgb_sd", BT601)])
def test_rgb_becomes_the_default_of_players(
    name: str, code: int, real: Ffmpeg, tmp_path: Path
) -> None:
    """RGB gets a matrix and its code; videos and pictures keep their colours."""
    result = delivered(name, tmp_path, real, Profile.parse("original+webp+360p"))
    for path in result.files:
        assert GREEN == pytest.approx(shown(path, tmp_path), abs=6), path.name
    assert code == result.probe.colour.matrix


@pytest.mark.parametrize(("name", "code"), [("hd", BT709), ("hd_hevc", BT709), ("hd_601", BT601)])
def test_small_renditions_have_colour_codes(
    name: str, code: int, real: Ffmpeg, tmp_path: Path
) -> None:
    """A rendition of few lines would be read as BT.601 without its colour codes."""
    result = delivered(name, tmp_path, real, Profile.parse("original+360p+preview"))
    colour = Colour(primaries=code, transfer=code, matrix=code)
    for path in ("video-360p.mp4", "preview.mp4"):
        assert colour == probe(result.video.with_name(path)).colour


def shown(path: Path, scratch: Path) -> list[int]:
    """The colour of the first frame as one pixel."""
    first = ("-frames:v", "1", "-vf", "scale=1:1", "-pix_fmt", "rgb24", "-f", "rawvideo")
    ffmpeg("-i", str(path), *first, str(scratch / "rgb"))
    return list((scratch / "rgb").read_bytes())
