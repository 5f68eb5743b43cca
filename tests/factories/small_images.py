"""Images of about 1 KB, stored under the names of those that the simulated fal would render.

Jobs of ENDPOINT then go through every step without ffmpeg: images are published as they came.
"""

import asyncio
import random
import struct
import zlib
from pathlib import Path

from infra.local.fal.media.clips import Clip, Media

ENDPOINT = "fal-ai/kling-image/v3/text-to-image"
# Pixels that do not compress, so that the file is as large as they are.
_SIDE = 18
_STYLES = range(4)


class _SmallImages(Media):
    async def _make(self, args: list[str], path: Path) -> None:
        await asyncio.to_thread(path.write_bytes, png(seed=path.name))


def small_images(cache: Path) -> Path:
    """Fill the cache of a simulated fal with an image for each of its styles, and return it."""

    async def fill() -> None:
        for style in _STYLES:
            await _SmallImages(cache).image(Clip(seconds=5, style=style))

    asyncio.run(fill())
    return cache


def prompt(name: str) -> str:
    """Return a prompt as long as people write them; another one for each name."""
    return f"A red fox crosses fresh snow at dawn, golden light, 35 mm, film grain; {name}"


def png(*, seed: str) -> bytes:
    """Return a PNG of random colours."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(3 * _SIDE) for _ in range(_SIDE))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
