"""The colour space of a video, in the code points of ITU-T H.273."""

import struct
from dataclasses import dataclass

from worker.formats.mp4.boxes import Box

RGB, UNSPECIFIED = 0, 2  # matrices; RGB: no matrix is applied
BT709, BT2020 = 1, 9  # primaries, and matrices: BT.2020's with non-constant luminance
_HDR = {16: "PQ", 18: "HLG"}  # transfers: SMPTE ST 2084, ARIB STD-B67
_VPC_COLOURS = 7  # offset of the three code points in a vpcC box


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """Colour primaries, transfer characteristics and matrix coefficients."""

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED

    def completed_by(self, other: "Colour") -> "Colour":
        """Return the same with the other's values where this one is unspecified."""
        return Colour(
            primaries=_known(self.primaries, other.primaries),
            transfer=_known(self.transfer, other.transfer),
            matrix=_known(self.matrix, other.matrix),
        )

    @property
    def hdr(self) -> str | None:
        """The name of its high dynamic range, or None."""
        return _HDR.get(self.transfer)

    @property
    def beyond_sdr(self) -> str | None:
        """The name of what a standard screen cannot show without conversion, or None."""
        if self.hdr:
            return f"HDR ({self.hdr})"
        return "BT.2020" if self.primaries == BT2020 else None


def colour(description: Box) -> Colour:
    """Return the colour that a VisualSampleEntry states (ISO/IEC 14496-12, 12.1.5; VP9's vpcC)."""
    for box in description.all("colr"):
        if bytes(box.body[:4]) in {b"nclx", b"nclc"}:  # nclc: of QuickTime, without the range
            return _colour(">3H", box, 4)
    vpc = description.find("vpcC")
    return _colour(">3B", vpc, _VPC_COLOURS) if vpc else Colour()


def _known(code: int, otherwise: int) -> int:
    return otherwise if code == UNSPECIFIED else code


def _colour(form: str, box: Box, at: int) -> Colour:
    primaries, transfer, matrix = struct.unpack_from(form, box.body, at)
    return Colour(primaries=primaries, transfer=transfer, matrix=matrix)
