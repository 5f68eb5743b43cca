"""Numbers in the bits of H.264 and HEVC parameter sets (ISO/IEC 14496-10, 7.2 and 9.1)."""

from collections.abc import Iterator

from worker.formats.errors import MediaError
from worker.formats.mp4.boxes import invalid

_GOLOMB_BITS = 32


def number(bits: Iterator[int], size: int) -> int:
    """Return an unsigned number of `size` bits; missing bits count as 0."""
    value = 0
    for _ in range(size):
        value = value << 1 | next(bits, 0)
    return value


def bits_of(data: bytes) -> Iterator[int]:
    """Yield each bit, the most significant of a byte first."""
    return (byte >> shift & 1 for byte in data for shift in range(7, -1, -1))


def golomb(bits: Iterator[int]) -> int:
    """Return an unsigned Exp-Golomb number (ISO/IEC 14496-10, 9.1) of at most 32 bits.

    Raises `MediaError` (media_invalid) if it is longer, or the bits end.
    """
    zeros = 0
    while not (bit := next(bits, None)):
        zeros += 1
        if bit is None or zeros >= _GOLOMB_BITS:
            raise unreadable()
    return (1 << zeros) + number(bits, zeros) - 1


def signed(bits: Iterator[int]) -> int:
    """Return a signed Exp-Golomb number (9.1.1); raises as `golomb` does."""
    value = golomb(bits)
    return (value + 1) // 2 if value & 1 else -(value // 2)


def unreadable(codec: str = "H.264") -> MediaError:
    """Return the error for a parameter set that cannot be read."""
    return invalid(f"its {codec} track has no readable parameter set")
