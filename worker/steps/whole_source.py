"""Whether a source is whole: what our tools could not process, but players can show."""

from pathlib import Path

from worker.errors import Failure
from worker.formats.errors import MediaError
from worker.formats.mp4 import intact, probe
from worker.transcode.ffmpeg import Ffmpeg

# Decodes picture and sound, and writes nothing.
_DECODE = ("-map", "0:v", "-map", "0:a?", "-f", "null", "-")


def is_whole(source: Path, ffmpeg: Ffmpeg, directory: Path) -> bool:
    """Return whether the headers of an MP4 pass the preflight and all of it can be decoded.

    What is cut short or hostile does not; `directory` is where ffmpeg runs.
    """
    try:
        clip = probe(source)
        if not intact(source):
            return False
        ffmpeg.fitted(clip, 1).run(_DECODE, source=source, cwd=directory, duration=clip.duration)
    except (MediaError, Failure):
        return False
    return True
