"""Finding an installed ffmpeg, and the encoders, filters and protocols that it lists."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import imageio_ffmpeg

from worker.errors import ConfigurationError
from worker.probe import run_probe


class FfmpegUnusable(ConfigurationError):
    """No ffmpeg on this machine can do the work."""

    reason = "ffmpeg_unusable"


def locate(configured: str | None) -> Path:
    """Return the path of the configured program (name or path), else of imageio-ffmpeg's.

    Raises `FfmpegUnusable` if there is no such program.
    """
    if configured:
        if (path := shutil.which(configured)) is None:
            raise FfmpegUnusable(
                f"FALHOOK_FFMPEG is {configured!r}, which is not an executable program; set it to"
                " a path, or leave it unset to use the ffmpeg of imageio-ffmpeg"
            )
        return Path(path).resolve()
    # get_ffmpeg_exe() runs the program, and takes one that is killed for one that is missing.
    bundled = Path(imageio_ffmpeg.__file__).parent / "binaries"
    if program := next(map(str, bundled.glob("ffmpeg-*")), None) or shutil.which("ffmpeg"):
        return Path(program).resolve()
    raise FfmpegUnusable(
        "imageio-ffmpeg has no ffmpeg for this machine: install one and set FALHOOK_FFMPEG"
    )


@functools.cache
def _list(path: Path, kind: str) -> str:
    """Return the program's list of its encoders, filters or protocols.

    Raises FfmpegUnusable, and ProbeInterrupted if it was killed.
    """
    try:
        process = run_probe([path, "-hide_banner", f"-{kind}"], timeout=30)
        process.check_returncode()
    except (OSError, subprocess.CalledProcessError) as error:
        raise FfmpegUnusable(
            f"{path} does not run, or is not ffmpeg; set FALHOOK_FFMPEG to one that runs"
        ) from error
    return process.stdout.decode("utf-8", "replace")


def missing(path: Path, kind: str, names: Iterable[str]) -> list[str]:
    """Return those names that the program does not list; `kind` is encoders, filters or protocols.

    Raises `FfmpegUnusable` if it does not run.
    """
    listing = _list(path, kind)
    return [
        name
        for name in names
        if not re.search(rf"^\s*(\S{{2,6}}\s+)?{name}\b", listing, re.MULTILINE)
    ]
