"""The ffmpeg programs that are installed: where one is, and what it says that it has."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import imageio_ffmpeg


class FfmpegUnusable(Exception):
    """There is no ffmpeg here that can do the work; the message says which and the cure."""


def located(configured: str | None) -> Path:
    """The configured program (name or path), else the one that imageio-ffmpeg brings.

    Raises `FfmpegUnusable` where there is none.
    """
    if configured:
        if (found := shutil.which(configured)) is None:
            raise FfmpegUnusable(
                f"FALHOOK_FFMPEG is {configured!r}, which is no program that can be run here;"
                " give a path, or leave it out for the one that imageio-ffmpeg brings"
            )
        return Path(found).resolve()
    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe()).resolve()
    except RuntimeError as error:
        raise FfmpegUnusable(
            "imageio-ffmpeg brings no ffmpeg for this machine: install one and set FALHOOK_FFMPEG"
        ) from error


@functools.cache
def _listed(path: Path, kind: str) -> str:
    """What the program says of its encoders, filters or protocols."""
    try:
        listed = subprocess.run(
            [path, "-hide_banner", f"-{kind}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise FfmpegUnusable(f"{path} does not run as ffmpeg does: set FALHOOK_FFMPEG") from error
    return listed.stdout.decode("utf-8", "replace")


def missing(path: Path, kind: str, names: Iterable[str]) -> list[str]:
    """Those of the names that the program does not list among its encoders, filters or protocols.

    Raises `FfmpegUnusable` where it does not run.
    """
    listed = _listed(path, kind)
    return [
        name
        for name in names
        if not re.search(rf"^\s*(\S{{2,6}}\s+)?{name}\b", listed, re.MULTILINE)
    ]
