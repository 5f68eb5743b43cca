"""Sounds that a real ffmpeg renders, once in a session, as fal's models return them."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from tests.factories.clips import ffmpeg, packets

SECONDS = 1
_SAID = ("-metadata", "artist=Fox Band", "-metadata", "title=Old", "-metadata", "comment=Older")

# Arguments of ffmpeg for each; the ending of the name is that of the file.
SOUNDS: dict[str, tuple[str, ...]] = {
    "plain.mp3": ("-id3v2_version", "0"),
    "told.mp3": _SAID,
    "v3.mp3": (*_SAID, "-id3v2_version", "3", "-write_id3v1", "1", "-metadata", "date=2020"),
    "plain.wav": ("-bitexact",),
    "told.wav": _SAID,
    "odd.wav": ("-ar", "8001", "-c:a", "pcm_u8"),
    "rf64.wav": (*_SAID, "-rf64", "always"),
    "plain.m4a": ("-bitexact",),
    "told.m4a": (*_SAID, "-movflags", "+faststart"),
    "isom.m4a": ("-f", "mp4"),
    "plain.flac": ("-bitexact",),
    "told.flac": _SAID,
    "plain.ogg": ("-c:a", "libopus"),
    "told.ogg": ("-c:a", "libvorbis", *_SAID),
}
TOLD = [name for name in SOUNDS if name.startswith("told")]


@functools.cache
def _directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="falhook-sounds-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@functools.cache
def sound(name: str) -> Path:
    """A tone of a second."""
    path = _directory() / name
    tone = ("-f", "lavfi", "-i", f"sine=f=440:d={SECONDS}")
    ffmpeg(*tone, *SOUNDS[name], str(path))
    return path


def endless(path: Path) -> Path:
    """A WAV whose sizes are not known, as programs write it that stream it."""
    data = bytearray(sound("plain.wav").read_bytes())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = b"\xff" * 4
    path.write_bytes(data)
    return path


def heard(path: Path) -> list[tuple[str, str]]:
    """Size and MD5 of every packet of the sound, undecoded."""
    found = packets(path, "a:0")
    assert len(found) > 1
    return found
