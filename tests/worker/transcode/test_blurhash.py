"""The same hashes as the reference implementation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.transcode.blurhash import _DIGITS, blurhash


def gradient(width: int, height: int) -> bytes:
    return bytes(
        (x * 7 * (part + 1) + y * 3 * (3 - part)) % 256
        for y in range(height)
        for x in range(width)
        for part in range(3)
    )


@pytest.mark.parametrize(
    ("pixels", "width", "height", "expected"),
    [
        # Made by blurhash-python 1.1.5.
        (gradient(32, 24), 32, 24, "LRHoE@rcKFU$w31cIVv8N1KK[Fk+"),
        (bytes(3 * 32 * 32), 32, 32, "L00000fQfQfQfQfQfQfQfQfQfQfQ"),
    ],
)
def test_vectors(pixels: bytes, width: int, height: int, expected: str) -> None:
    """Hashes equal those of other implementations, which can therefore read them."""
    assert expected == blurhash(pixels, width, height)


@given(st.binary(min_size=48, max_size=48), st.integers(1, 4), st.integers(1, 4))
def test_shape(pixels: bytes, across: int, down: int) -> None:
    """A hash has two characters for each wave and four more, all of the alphabet."""
    text = blurhash(pixels, 4, 4, across=across, down=down)
    assert 4 + 2 * across * down == len(text)
    assert set(text) <= set(_DIGITS)


@pytest.mark.parametrize("pixels", [b"", bytes(47), bytes(49)])
def test_wrong_number_of_bytes(pixels: bytes) -> None:
    """Bytes of another size are refused."""
    with pytest.raises(ValueError, match="bytes of RGB, got"):
        blurhash(pixels, 4, 4)
