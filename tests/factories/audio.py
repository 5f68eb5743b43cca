"""Audio files that a real ffmpeg renders, once per session, as fal's models return them."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tests.factories.clips import ffmpeg, packets

SECONDS = 1
_TAGS = ("-metadata", "artist=Fox Band", "-metadata", "title=Old", "-metadata", "comment=Older")

# Arguments of ffmpeg for each; the name has the extension of the file.
SOUNDS: dict[str, tuple[str, ...]] = {
    "plain.mp3": ("-id3v2_version", "0"),
    "tagged.mp3": _TAGS,
    "v3.mp3": (*_TAGS, "-id3v2_version", "3", "-write_id3v1", "1", "-metadata", "date=2020"),
    "plain.wav": ("-bitexact",),
    "tagged.wav": _TAGS,
    "odd.wav": ("-ar", "8001", "-c:a", "pcm_u8"),
    "float.wav": ("-c:a", "pcm_f32le"),
    "deep.wav": ("-c:a", "pcm_s24le"),
    "broadcast.wav": (*_TAGS, "-write_bext", "1"),
    "surround.wav": ("-ac", "6"),
    "rf64.wav": (*_TAGS, "-rf64", "always"),
    "plain.m4a": ("-bitexact",),
    "tagged.m4a": (*_TAGS, "-movflags", "+faststart"),
    "isom.m4a": ("-f", "mp4"),
    "plain.flac": ("-bitexact",),
    "tagged.flac": _TAGS,
    "plain.ogg": ("-c:a", "libopus"),
    "tagged.ogg": ("-c:a", "libvorbis", *_TAGS),
}
TAGGED = [name for name in SOUNDS if name.startswith("tagged")]


@functools.cache
def _directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="falhook-sounds-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@functools.cache
def sound(name: str) -> Path:
    """Return a tone of one second."""
    path = _directory() / name
    tone = ("-f", "lavfi", "-i", f"sine=f=440:d={SECONDS}")
    ffmpeg(*tone, *SOUNDS[name], str(path))
    return path


def endless(path: Path) -> Path:
    """Write a WAV of unknown size, as programs do that stream it."""
    data = bytearray(sound("plain.wav").read_bytes())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = b"\xff" * 4
    path.write_bytes(data)
    return path


def heard(path: Path) -> list[tuple[str, str]]:
    """Return size and MD5 of every packet of the audio, undecoded."""
    result = packets(path, "a:0")
    assert len(result) > 1
    return result
