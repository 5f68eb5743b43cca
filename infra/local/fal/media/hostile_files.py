"""Hostile files: each is served as ``output.mp4`` of type ``video/mp4`` but is not a plain clip."""

import asyncio
import gzip
import random
import struct
from collections.abc import Mapping
from pathlib import Path

from infra.local.fal.media.clips import Clip, Media

_HTML = b"<!doctype html><title>Just a moment...</title><p>Checking your browser.</p>\n"
_TEXTS: Mapping[str, bytes] = {
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n"
    b"#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "dash-mpd": b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
    b' mediaPresentationDuration="PT5S"><Period><AdaptationSet mimeType="video/mp4">'
    b'<Representation id="1" bandwidth="1000"><BaseURL>file:///etc/passwd</BaseURL>'
    b"</Representation></AdaptationSet></Period></MPD>\n",
    "html": _HTML,
    "empty": b"",
}
FTYP = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp42")
KINDS = (*_TEXTS, "garbage", "bomb", "long", "samples", "gzip", "endless")
_MANY_SAMPLES = 64 * 2**20


async def write_hostile_file(kind: str, media: Media, directory: Path) -> Path:
    """Return the file of this `kind`; all but cached clips are written to `directory`.

    ``endless`` and ``gzip`` are hostile only in the way they are served.
    """
    match kind:
        case "bomb":
            return await media.huge_picture()
        case "long":
            return await media.long_video()
        case "samples":
            clip = await media.video(Clip(seconds=1))
            return _write_once(
                directory / "samples.mp4", _with_false_sample_count(clip.read_bytes())
            )
        case "gzip":
            packed = await asyncio.to_thread(gzip.compress, FTYP + bytes(200 * 2**20), 1)
            return _write_once(directory / "gzip.mp4", packed)
        case "garbage" | "endless":
            noise = random.Random(kind).randbytes(200_000)
            return _write_once(directory / f"{kind}.mp4", FTYP + noise)
        case _:
            return _write_once(directory / f"{kind}.mp4", _TEXTS[kind])


def write_truncated(clip: Path, directory: Path) -> Path:
    """Return the first half of `clip`, written to `directory`."""
    data = clip.read_bytes()
    return _write_once(directory / f"half-{clip.name}", data[: len(data) // 2])


def _with_false_sample_count(clip: bytes) -> bytes:
    """Return `clip` with the first sample table claiming 64 Mi samples of one byte each."""
    position = clip.index(b"stsz") + 8
    return clip[:position] + struct.pack(">II", 1, _MANY_SAMPLES) + clip[position + 8 :]


def _write_once(path: Path, data: bytes) -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_bytes(data)
        draft.replace(path)
    return path
