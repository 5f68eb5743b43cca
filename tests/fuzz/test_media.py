"""What a clip may contain: the preflight accepts or refuses any file, and never fails otherwise.

`FALHOOK_FUZZ_EXAMPLES=1000000 python -m pytest tests/fuzz/test_media.py --timeout 0` runs for as
long. A failure names its seed: `FALHOOK_FUZZ_SEED=<seed>` begins with it.
"""

import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.factories.attacks import INCOMPLETE, MISPLACED
from tests.factories.clips import clip
from tests.factories.mp4_boxes import HOSTILE, MovieBuilder, numbers
from tests.factories.odd_clips import ODD, TRAILERS
from tests.fuzz.test_receiver import EXAMPLES
from worker.formats.errors import MediaError
from worker.formats.mp4 import (
    NotRewritable,
    Stamp,
    credentials_of,
    intact,
    probe,
    read_tags,
    repair,
    rewrite,
    udta,
)

FIRST = int(os.environ.get("FALHOOK_FUZZ_SEED", "0"))
SLOW = 5.0  # seconds for one file
SMALLEST = 8  # bytes of a file that is mutated
CLIPS = ("high", "hevc", "fragmented", "vp9", "moov_last", "quicktime", "cut", "turned")
KINDS = [
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"stts", b"stsz", b"stz2", b"stco"),
    *(b"co64", b"stsc", b"ctts", b"stss", b"edts", b"elst", b"mvhd", b"mdhd", b"tkhd", b"moof"),
    *(b"traf", b"tfhd", b"tfdt", b"trun", b"mdat", b"free", b"udta", b"meta", b"avc1", b"hvc1"),
    *(b"avcC", b"hvcC", b"esds", b"mp4a", b"pasp", b"colr", b"uuid", b"dOps", b"Opus"),
]
NUMBERS = (0, 1, 2, 7, 8, 16, 255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
STAMP = Stamp(udta=udta({"title": "A fox"}), xmp=b"<x/>", created=datetime(2026, 1, 1, tzinfo=UTC))
Mutation = Callable[[bytearray, random.Random], None]


def _bit(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _number(data: bytearray, chance: random.Random) -> None:
    """Write a number that is likely to matter, near the name of a box."""
    at = _box(data, chance) + 4 * chance.randrange(-1, 12)
    at = max(0, min(at, len(data) - 4))
    data[at : at + 4] = numbers(chance.choice(NUMBERS))


def _name(data: bytearray, chance: random.Random) -> None:
    at = _box(data, chance)
    data[at : at + 4] = chance.choice(KINDS)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data)) :]


def _gap(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 64)]


def _copy(data: bytearray, chance: random.Random) -> None:
    at = max(0, _box(data, chance) - 4)
    part = data[at : at + chance.randrange(8, 200)]
    other = max(0, _box(data, chance) - 4)
    data[other:other] = part


def _trailer(data: bytearray, chance: random.Random) -> None:
    data += chance.choice([*TRAILERS.values(), chance.randbytes(chance.randrange(1, 40))])


def _padding(data: bytearray, chance: random.Random) -> None:
    at = max(0, _box(data, chance) - 4)
    data[at:at] = bytes([chance.choice((0, 0xFF))]) * chance.randrange(1, 20)


MUTATIONS: tuple[Mutation, ...] = (
    *(_bit, _number, _number, _number, _name, _cut, _gap, _copy, _trailer, _padding),
)


def _box(data: bytearray, chance: random.Random) -> int:
    """Return the offset of the name of some box."""
    at = data.find(chance.choice(KINDS), chance.randrange(max(1, len(data) // 2)))
    return at if at >= 0 else chance.randrange(len(data))


@pytest.fixture(scope="module")
def seeds() -> Mapping[str, bytes]:
    """The files that are mutated: good, odd and hostile ones."""
    odd = {name: make() for name, make in ODD.items()}
    hostile = {name: make() for name, (make, _) in HOSTILE.items()}
    misplaced = {name: make() for name, make in MISPLACED.items()}
    incomplete = {name: make() for name, (make, _) in INCOMPLETE.items()}
    every = odd | hostile | misplaced | incomplete | {"built": MovieBuilder().bytes()}
    every |= {name: clip(name).read_bytes() for name in CLIPS}
    return {name: data for name, data in every.items() if SMALLEST < len(data) < 1 << 20}


def test_any_file_is_accepted_or_refused(seeds: Mapping[str, bytes], tmp_path: Path) -> None:
    """Only errors of media are raised, in bounded time; an accepted file can be rewritten."""
    names = sorted(seeds)
    accepted = 0
    for seed in range(FIRST, FIRST + max(500, EXAMPLES)):
        chance = random.Random(seed)
        data = bytearray(seeds[chance.choice(names)])
        for _ in range(chance.randrange(1, 5)):
            if len(data) > SMALLEST:
                chance.choice(MUTATIONS)(data, chance)
        began = time.monotonic()
        try:
            accepted += _preflight(bytes(data), tmp_path)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        assert time.monotonic() - began < SLOW, f"seed {seed}"
    assert accepted


def _preflight(data: bytes, directory: Path) -> bool:
    """Read and rewrite a file as a job does; return whether it was accepted."""
    source, repaired, target = (directory / name for name in ("source", "repaired", "target"))
    source.write_bytes(data)
    try:
        expected = probe(source)
        read_tags(source)
        credentials_of(source)
        repair(source, repaired)
        found = probe(repaired)
        assert (expected.frames, 0) == (found.frames, found.rest)
        intact(repaired)
        rewrite(repaired, target, STAMP)
        assert expected.frames == probe(target).frames
    except (MediaError, NotRewritable):
        return False
    return True
