"""Colour codes that filters of ffmpeg refuse: a copied clip does not fail for its poster."""

from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg, packets, tags
from worker.errors import Permanent, Transient
from worker.transcode.ffmpeg import Ffmpeg, ResourceLimits, ResourceUsage
from worker.transcode.ffmpeg.exit_status import failure
from worker.transcode.ffmpeg.sandbox import ProcessResult
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

NAMES = ("colour_primaries", "transfer_characteristics", "matrix_coefficients")
PQ, BT2020 = 16, 9


def delivered(
    name: str,
    codes: dict[str, int],
    directory: Path,
    profile: str = "original",
    codec: str = "h264",
) -> tuple[Path, TranscodeResult]:
    """Deliver a clip whose stream states these codes of ITU-T H.273."""
    source = directory / "source.mp4"
    stated = ":".join(f"{key}={code}" for key, code in codes.items())
    bitstream = ("-bsf:v", f"{codec}_metadata={stated}", "-f", "mp4")
    ffmpeg("-i", str(clip(name)), "-c", "copy", *bitstream, str(source))
    program, wanted = Ffmpeg.find(None), Profile.parse(profile)
    return source, transcode(source, directory / "into", tags(), ffmpeg=program, profile=wanted)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("matrix_coefficients", code) for code in (0, 3, 8, 10, 11, 12, 13, 14, 15, 16, 255)),
        *(("transfer_characteristics", code) for code in (0, 3, 9, 10, 19, 255)),
        *(("colour_primaries", code) for code in (0, 3, 13, 22, 255)),
    ],
)
def test_a_copy_keeps_codes_that_no_filter_knows(name: str, code: int, tmp_path: Path) -> None:
    """The clip is copied packet for packet, and its poster and smaller rendition exist."""
    source, result = delivered("hd", {name: code}, tmp_path, "original+360p+webp")
    assert ("copy", {}) == (result.method, dict(result.failed))
    assert packets(source, "v:0") == packets(result.video, "v:0")
    assert ["video.mp4", "poster.jpg", "video-360p.mp4", "poster.webp"] == [
        path.name for path in result.files
    ]


@pytest.mark.parametrize("code", [3, 8, 14, 16, 255])
def test_hevc_with_a_matrix_that_no_filter_knows(code: int, tmp_path: Path) -> None:
    """It is encoded with every output: YCgCo, ICtCp and reserved matrices are unstated."""
    codes = {"matrix_coefficients": code}
    _, result = delivered("hd_hevc", codes, tmp_path, "web+360p+webp+preview", "hevc")
    assert ({}, 5) == (dict(result.failed), len(result.files))


@pytest.mark.parametrize("code", [3, 14, 255])
def test_av1_with_a_reserved_matrix(code: int, tmp_path: Path) -> None:
    """It is encoded with every output, although ffmpeg gives its frames to no filter."""
    codes = {"matrix_coefficients": code}
    _, result = delivered("hd_av1", codes, tmp_path, "web+360p+webp+preview", "av1")
    assert ({}, 5) == (dict(result.failed), len(result.files))


@pytest.mark.parametrize(
    "codes",
    [
        *({"colour_primaries": code} for code in (0, 3, 13, 255)),
        *({"matrix_coefficients": code} for code in (0, 10, 11, 14, 15, 16, 255)),
    ],
)
def test_hdr_with_codes_that_no_filter_knows(codes: dict[str, int], tmp_path: Path) -> None:
    """PQ is converted to SDR whatever its other codes are."""
    _, result = delivered("sd", codes | {"transfer_characteristics": PQ}, tmp_path)
    assert (None, True) == (result.probe.colour.beyond_sdr, result.poster.is_file())


@pytest.mark.parametrize("codes", [{"transfer_characteristics": 0}, {"matrix_coefficients": 14}])
def test_wide_gamut_with_codes_that_no_filter_knows(codes: dict[str, int], tmp_path: Path) -> None:
    """BT.2020 is converted to SDR whatever its other codes are."""
    _, result = delivered("sd", codes | {"colour_primaries": BT2020}, tmp_path)
    assert (None, True) == (result.probe.colour.beyond_sdr, result.poster.is_file())


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("[Parsed_zscale_0 @ 0x7f] code 3074: no path between colorspaces", Permanent),
        ("[Parsed_zscale_0 @ 0x7f] code 2048: out of memory", Transient),
        ("[libx264 @ 0x7f] malloc of size 9 failed", Transient),
    ],
)
def test_a_filter_that_refuses_is_no_lack_of_memory(stderr: str, kind: type) -> None:
    """The exit code of a failed library is transient unless a filter named another cause."""
    result = ProcessResult(code=187, cut=None, stderr=stderr, usage=ResourceUsage())
    assert kind is type(failure(result, ResourceLimits()))
