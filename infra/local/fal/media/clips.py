"""Real media files, made by ffmpeg from its own test sources and kept by what was asked for."""

import asyncio
import hashlib
import math
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

_AREA = 640 * 360
_RATE = 24
_GRADIENT = "gradients=s={size}:r={rate}:n=4:speed=0.03:type="
_PICTURES = (
    _GRADIENT + "linear:seed=11:c0=0x1b2a49:c1=0x3a6ea5:c2=0xf2a65a:c3=0xf76c5e",
    "mandelbrot=s={size}:r={rate}:end_scale=0.02:start_x=-0.743644:start_y=-0.131826",
    _GRADIENT + "radial:seed=5:c0=0xfff1c1:c1=0xf28f3b:c2=0xc8553d:c3=0x2d3047",
    _GRADIENT + "circular:seed=23:c0=0x0b132b:c1=0x1c7c7d:c2=0x5bc0be:c3=0xeef4ed",
)
_TONES = (220.0, 261.63, 293.66, 329.63)


class RenderFailed(Exception):
    """Ffmpeg could not make a file; the message holds what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What a clip shows: `seconds` long, shaped `ratio` (``width:height``), one of few styles."""

    seconds: int
    ratio: str = "16:9"
    style: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels, both even, about 640 by 360 in area."""
        width, height = (int(side) for side in self.ratio.split(":"))
        return _even(math.sqrt(_AREA * width / height)), _even(math.sqrt(_AREA * height / width))

    def picture(self) -> str:
        """Return the lavfi source of the pictures."""
        width, height = self.size
        return _PICTURES[self.style].format(size=f"{width}x{height}", rate=_RATE)

    def sound(self) -> str:
        """Return the lavfi source of the sound."""
        tone = _TONES[self.style]
        return (
            f"aevalsrc=0.12*sin(2*PI*{tone}*t)+0.08*sin(3*PI*{tone}*t):s=48000,"
            f"tremolo=f=2:d=0.4,afade=t=in:d=0.3,afade=t=out:st={self.seconds - 0.5}:d=0.5"
        )


def style_of(text: str) -> int:
    """Return the style of a clip for a prompt: always the same for the same text."""
    return hashlib.sha256(text.encode()).digest()[0] % len(_PICTURES)


def _even(number: float) -> int:
    return 2 * round(number / 2)


class Media:
    """Makes files in `cache`, each once, however many ask for it and whoever shares the cache."""

    def __init__(self, cache: Path) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        self._cache = cache
        self._one_each: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._few_at_once = asyncio.Semaphore(2)

    async def video(self, clip: Clip) -> Path:
        """Return an H.264/AAC MP4 with its index in front."""
        codecs = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 48 -c:a aac -b:a 96k"
        args = ["-f", "lavfi", "-i", clip.picture(), "-f", "lavfi", "-i", clip.sound()]
        args += ["-t", str(clip.seconds), *codecs.split(), "-movflags", "+faststart"]
        return await self._made(args, "mp4")

    async def audio(self, clip: Clip) -> Path:
        """Return the clip's sound as an MP3."""
        args = ["-f", "lavfi", "-i", clip.sound(), "-t", str(clip.seconds), "-c:a", "libmp3lame"]
        return await self._made(args, "mp3")

    async def image(self, clip: Clip) -> Path:
        """Return the clip's first picture as a PNG."""
        args = ["-f", "lavfi", "-i", clip.picture(), "-frames:v", "1", "-c:v", "png"]
        return await self._made([*args, "-update", "1"], "png")

    async def enormous(self) -> Path:
        """Return an MP4 of a few kilobytes whose one picture unfolds to 8192 by 8192 pixels."""
        args = ["-f", "lavfi", "-i", "color=c=teal:s=8192x8192:r=1", "-frames:v", "1"]
        return await self._made([*args, "-c:v", "libx264", "-preset", "ultrafast"], "mp4")

    async def endless(self) -> Path:
        """Return an MP4 of a few kilobytes whose two pictures lie a day apart."""
        args = ["-f", "lavfi", "-i", "color=c=navy:s=320x180:r=1/86400", "-frames:v", "2"]
        return await self._made([*args, "-c:v", "libx264", "-preset", "ultrafast"], "mp4")

    async def _made(self, args: list[str], suffix: str) -> Path:
        name = hashlib.sha256("\0".join(args).encode()).hexdigest()[:24]
        path = self._cache / f"{name}.{suffix}"
        async with self._one_each[name]:
            if not path.exists():
                async with self._few_at_once:
                    await self._make(args, path)
        return path

    async def _make(self, args: list[str], path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self._cache, prefix="making-") as aside:
            draft = Path(aside) / path.name
            await _ffmpeg([*args, str(draft)])
            draft.replace(path)


async def _ffmpeg(args: list[str]) -> None:
    quiet = ["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    process = await asyncio.create_subprocess_exec(
        imageio_ffmpeg.get_ffmpeg_exe(),
        *quiet,
        *args,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = said.decode(errors="replace")[-2000:]
        raise RenderFailed(f"ffmpeg ended with code {process.returncode}: {text}")
