"""Places in the streams of events: of one event, and of a reader of all 64 streams."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeAlias
from zlib import crc32

from webhook.shards import SHARDS

# What Redis orders the entries of a stream by: milliseconds, and a number within one of them.
Place: TypeAlias = tuple[int, int]

BEGINNING: Place = (0, 0)
# Milliseconds before an event from which the streams are read to go on after it. Clocks of the
# primaries differ, and a follower may be a second behind with one stream.
MARGIN = 5_000
# Redis numbers have 64 bits; milliseconds stay below 2^48 until the year 10889.
_LARGEST = 1 << 64
_VERSION = 1
_LONGEST = 2_000


class EventId(NamedTuple):
    """The id of an event: its entry and its stream, written as `1700000000000-0@2a`."""

    ms: int
    seq: int
    shard: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the id. Raises ValueError."""
        try:
            entry, shard = text.split("@")
            ms, seq = map(_number, entry.split("-"))
            found = cls(ms, seq, int(shard, 16))
        except ValueError:
            raise ValueError(f"{text[:80]!r} is not the id of an event") from None
        if str(found) != text or not 0 <= found.shard < SHARDS:
            raise ValueError(f"{text[:80]!r} is not the id of an event")
        return found

    @property
    def place(self) -> Place:
        """The place in its stream."""
        return self.ms, self.seq

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}@{self.shard:02x}"


@dataclass(frozen=True, slots=True)
class Positions:
    """For each shard the place after which its stream is read."""

    places: tuple[Place, ...] = (BEGINNING,) * SHARDS

    @classmethod
    def before(cls, event: EventId) -> Self:
        """Return places from which a reader that has this event misses none; some it has seen."""
        return cls(((max(0, event.ms - MARGIN), 0),) * SHARDS)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Return the positions that `encode` wrote. Raises ValueError for any other text."""
        try:
            return cls(_places(text))
        except (ValueError, IndexError):  # binascii.Error is a ValueError
            raise ValueError(f"{text[:80]!r} is not a cursor of this API") from None

    def encode(self) -> str:
        """Return the positions as a text of about 500 characters that fits into a URL."""
        newest = max(ms for ms, _ in self.places)
        numbers = [newest, *(each for ms, seq in self.places for each in (newest - ms, seq))]
        body = bytes([_VERSION]) + b"".join(map(_varint, numbers))
        return urlsafe_b64encode(body + crc32(body).to_bytes(4)).decode().rstrip("=")

    def after(self, read: Mapping[int, Place]) -> Self:
        """Return the positions of a reader that has also read these shards up to these places."""
        return type(self)(tuple(read.get(n, place) for n, place in enumerate(self.places)))

    def joined(self, other: Self) -> Self:
        """Return the positions of a reader that has read what either has."""
        return type(self)(tuple(map(max, self.places, other.places)))

    def has(self, event: EventId) -> bool:
        """Return whether a reader at these positions has read the event."""
        return event.place <= self.places[event.shard]

    def entries(self, shards: Iterable[int] = range(SHARDS)) -> Mapping[int, str]:
        """Return the ids of entries, as Redis writes them, after which these shards are read."""
        return {shard: "{}-{}".format(*self.places[shard]) for shard in shards}


START = Positions()


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a client goes on: after `event`, or exactly at `positions`."""

    positions: Positions = START
    event: EventId | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the cursor in the id of an event or in the cursor of a page. Raises ValueError."""
        if "@" in text:
            event = EventId.parse(text)
            return cls(Positions.before(event), event)
        return cls(Positions.decode(text))


def _places(text: str) -> tuple[Place, ...]:
    if len(text) > _LONGEST:
        raise ValueError("too long")
    data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    body, checksum = data[:-4], data[-4:]
    if crc32(body).to_bytes(4) != checksum or body[0] != _VERSION:
        raise ValueError("not written by this version")
    newest, *rest = _numbers(body[1:])
    places = tuple((newest - age, seq) for age, seq in zip(rest[::2], rest[1::2], strict=True))
    if len(places) != SHARDS or min(places) < BEGINNING:
        raise ValueError("not the places of all shards")
    return places


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_LARGEST)):
        raise ValueError
    number = int(text)
    if number >= _LARGEST:
        raise ValueError
    return number


def _varint(number: int) -> bytes:
    """Return the number in groups of seven bits, the lowest first (LEB128)."""
    groups = bytearray()
    while number > 0x7F:  # noqa: PLR2004
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _numbers(data: bytes) -> Sequence[int]:
    return list(_read_numbers(iter(data)))


def _read_numbers(data: Iterator[int]) -> Iterator[int]:
    for byte in data:
        number, shift = byte & 0x7F, 7
        while byte & 0x80:
            byte = next(data, 0)  # noqa: PLW2901
            number |= (byte & 0x7F) << shift
            shift += 7
        if number >= _LARGEST:
            raise ValueError
        yield number
