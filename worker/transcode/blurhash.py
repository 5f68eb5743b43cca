"""BlurHash: a few dozen characters that a page shows as a blur until the picture is loaded.

https://github.com/woltapp/blurhash/blob/master/Algorithm.md
"""

from functools import cache
from math import cos, pi

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
Colour = tuple[float, float, float]


def blurhash(pixels: bytes, width: int, height: int, *, across: int = 4, down: int = 3) -> str:
    """Return the hash of RGB bytes, row by row, with `across` x `down` (1 to 9) waves.

    A picture of 32 pixels a side is enough: more gives the same hash. Raises ValueError if the
    number of bytes does not match the size.
    """
    if len(pixels) != 3 * width * height or not pixels:
        raise ValueError(f"expected {3 * width * height} bytes of RGB, got {len(pixels)}")
    light = [_LINEAR[byte] for byte in pixels]
    waves = [_wave(light, width, height, x, y) for y in range(down) for x in range(across)]
    (mean, *others) = waves
    largest = max((abs(part) for wave in others for part in wave), default=0.0)
    scale = max(0, min(82, int(largest * 166 - 0.5))) if others else 0
    text = _base83(across - 1 + (down - 1) * 9, 1) + _base83(scale, 1)
    text += _base83(sum(_srgb(part) << 8 * (2 - index) for index, part in enumerate(mean)), 4)
    return text + "".join(_base83(_alternating(wave, (scale + 1) / 166), 2) for wave in others)


def _wave(light: list[float], width: int, height: int, x: int, y: int) -> Colour:
    horizontal, vertical = _cosines(width, x), _cosines(height, y)
    weights = [v * h for v in vertical for h in horizontal]
    norm = (1 if x == y == 0 else 2) / (width * height)
    red, green, blue = (
        norm * sum(w * part for w, part in zip(weights, light[channel::3], strict=True))
        for channel in range(3)
    )
    return red, green, blue


@cache
def _cosines(length: int, wave: int) -> tuple[float, ...]:
    return tuple(cos(pi * wave * index / length) for index in range(length))


def _alternating(wave: Colour, largest: float) -> int:
    red, green, blue = (_quantised(part / largest) for part in wave)
    return red * 19 * 19 + green * 19 + blue


def _quantised(part: float) -> int:
    root = abs(part) ** 0.5 * (1 if part >= 0 else -1)
    return max(0, min(18, int(root * 9 + 9.5)))


def _linear(byte: int) -> float:
    value = byte / 255
    return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004


def _srgb(value: float) -> int:
    light = max(0.0, min(1.0, value))
    bright = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055  # noqa: PLR2004
    return int(bright * 255 + 0.5)


def _base83(value: int, length: int) -> str:
    return "".join(_DIGITS[value // 83**power % 83] for power in range(length - 1, -1, -1))


_LINEAR = tuple(_linear(byte) for byte in range(256))
