"""Tiny clips, stored under the names of those that the simulated fal would render."""

import asyncio
from pathlib import Path

from infra.local.fal.media import clips
from infra.local.fal.media.clips import Clip, Media

_TINY = "testsrc=s=64x36:r=12"


class _TinyMedia(Media):
    async def _make(self, args: list[str], path: Path) -> None:
        seconds = args[args.index("-t") + 1]
        codecs = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -movflags +faststart"
        await clips._ffmpeg(["-f", "lavfi", "-i", _TINY, "-t", seconds, *codecs.split(), str(path)])


def tiny_clips(cache: Path) -> Path:
    """Fill the cache with a tiny clip of 5 seconds per style, and return it."""

    async def fill() -> None:
        tiny = _TinyMedia(cache)
        for style in range(4):
            await tiny.video(Clip(seconds=5, style=style))

    asyncio.run(fill())
    return cache
