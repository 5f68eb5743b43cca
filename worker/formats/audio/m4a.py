"""M4A: an MP4 of sound; and videos that are published as they are."""

from pathlib import Path

from worker.formats import mp4
from worker.formats.audio.rewrite import NotTaggable, names
from worker.formats.errors import MediaError
from worker.formats.mp4 import NotRewritable, Stamp, other_tags, read_tags, rewrite, udta
from worker.formats.tags import Tags


def begins(head: bytes) -> bool:
    """Whether a file that begins so is an MP4."""
    return head[4:8] == b"ftyp"


def tag(source: Path, target: Path, tags: Tags) -> tuple[str, ...]:
    """Write `source` to `target` with our tags and those of theirs that have other names.

    Returns the names of the tags that ours replaced. Raises NotTaggable.
    """
    try:
        theirs = read_tags(source)
        ours = tags.pairs(theirs)
        held = udta(ours, other_tags(source, ours))
        rewrite(source, target, Stamp(udta=held, xmp=tags.xmp(theirs), created=tags.created))
    except NotRewritable as reason:
        raise NotTaggable(str(reason)) from reason
    except MediaError as failure:
        raise NotTaggable(failure.sentence) from failure
    return names(name for name in ours if theirs.get(name, ours[name]) != ours[name])


def source_tags(path: Path) -> dict[str, str]:
    """What it says of itself. Raises NotTaggable."""
    try:
        return read_tags(path)
    except MediaError as failure:
        raise NotTaggable(failure.sentence) from failure


def credentials_of(path: Path) -> tuple[range, ...]:
    """Where content credentials lie, in boxes of C2PA. Raises NotTaggable."""
    try:
        return mp4.credentials_of(path)
    except MediaError as failure:
        raise NotTaggable(failure.sentence) from failure
