"""M4A: an MP4 of audio. Videos that are published unchanged are tagged here too."""

from pathlib import Path

from worker.formats import mp4
from worker.formats.audio.rewrite import NotTaggable, unique_names
from worker.formats.errors import MediaError
from worker.formats.mp4 import NotRewritable, Stamp, other_tags, read_tags, rewrite, udta
from worker.formats.tags import Tags


def begins(head: bytes) -> bool:
    """Return whether a file with these first bytes is an MP4."""
    return head[4:8] == b"ftyp"


def tag(source: Path, target: Path, tags: Tags) -> tuple[str, ...]:
    """Write `source` to `target` with our tags and those of its own that have other names.

    Returns the names of the source's tags that ours replaced. Raises NotTaggable.
    """
    try:
        before = read_tags(source)
        ours = tags.pairs(before)
        box = udta(ours, other_tags(source, ours))
        rewrite(source, target, Stamp(udta=box, xmp=tags.xmp(before), created=tags.created))
    except NotRewritable as reason:
        raise NotTaggable(str(reason)) from reason
    except MediaError as failure:
        raise NotTaggable(failure.sentence) from failure
    return unique_names(name for name in ours if before.get(name, ours[name]) != ours[name])


def source_tags(path: Path) -> dict[str, str]:
    """Return all of its tags. Raises NotTaggable."""
    try:
        return read_tags(path)
    except MediaError as failure:
        raise NotTaggable(failure.sentence) from failure


def credentials_of(path: Path) -> tuple[range, ...]:
    """Return the byte ranges of the C2PA boxes. Raises NotTaggable."""
    try:
        return mp4.credentials_of(path)
    except MediaError as failure:
        raise NotTaggable(failure.sentence) from failure
