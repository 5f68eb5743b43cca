"""A copy of an MP4 without harmless faults, for programs that take them for something else."""

from pathlib import Path
from typing import BinaryIO

from worker.formats.copy_range import copy_range
from worker.formats.mp4.boxes import Box, Extent, Walk, invalid
from worker.formats.mp4.last_sample import end_last_samples
from worker.formats.mp4.probe import ProbeResult


def faults(source: ProbeResult) -> tuple[str, ...]:
    """Return what `repair` drops from this file, in words; empty if nothing."""
    rest = f"{source.rest} bytes after the movie" if source.rest else ""
    excess = "a last frame that never ends" if source.endless else ""
    return tuple(filter(None, (rest, excess)))


def repair(path: Path, target: Path) -> None:
    """Copy the MP4 at `path`, which `probe` accepted, without the bytes that follow the movie.

    Last samples that would last longer than any clip get the duration that is shown of them.
    Raises `MediaError` (media_invalid) for a file without a movie header.
    """
    walk = Walk()
    with path.open("rb") as file, target.open("wb") as out:
        extents = tuple(walk.extents(file, path.stat().st_size))
        copy_range(file, out, 0, extents[-1].start + extents[-1].size)
        moov = next((extent for extent in extents if extent.kind == "moov"), None)
        if moov is None:
            raise invalid("it has no movie header ('moov' box)")
        _end_samples(file, out, moov, walk)


def _end_samples(file: BinaryIO, out: BinaryIO, extent: Extent, walk: Walk) -> None:
    file.seek(extent.start + extent.header)
    content = bytearray(file.read(extent.size - extent.header))
    moov = Box(extent.kind, memoryview(content), walk.boxes(memoryview(content)))
    end_last_samples(moov)
    out.seek(extent.start + extent.header)
    out.write(content)
