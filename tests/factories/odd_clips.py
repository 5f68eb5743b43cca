"""Clips with harmless faults that players do not mind."""

import re
import struct
from collections.abc import Callable, Mapping, Sequence

from tests.factories.clips import clip
from tests.factories.mp4_boxes import TABLE, box, content_at, numbers, replaced

TRAILERS: Mapping[str, bytes] = {
    "newline": b"\n",
    "three_zeros": bytes(3),
    "five_zeros": bytes(5),
    "a_page_of_zeros": bytes(4096),
    "ones": b"\xff" * 8,
    "label": b'{"AIGC":{"Label":"1","ContentProducer":"x"}}',
    "samsung": b"\0\0\x01\n\x0c\0\0\0Image_UTC_DataSEFHk\0\0\0\1\0\0\0\0\0\1\n$\0\0\0SEFT",
    "vivo": b'vivo{"a":1}\0\0\0\x1bcameraalbum',
    "noise": bytes(range(200, 100, -1)) + b"identifier",
    "size_below_header": b"\0\0\0\5abcdefgh",
    "half_of_a_wide_header": b"\0\0\0\1abcd",
    "id3": b"TAG" + bytes(125),
}
PADDINGS = (bytes(4), bytes(8), bytes(12), b"\xff" * 8)
DESCRIPTION = (*TABLE, b"stsd", b"avc1")


def padded(data: bytes, path: Sequence[bytes], padding: bytes) -> bytes:
    """Return a movie whose header comes last, with bytes after the last box in that at `path`."""
    result, at, end, ancestors = bytearray(data), 0, len(data), []
    for kind in path:
        while result[at + 4 : at + 8] != kind:
            at += int.from_bytes(result[at : at + 4])
        ancestors.append(at)
        end = at + int.from_bytes(result[at : at + 4])
        at += 16 if kind == b"stsd" else 8
    result[end:end] = padding
    for ancestor in ancestors:
        size = int.from_bytes(result[ancestor : ancestor + 4]) + len(padding)
        result[ancestor : ancestor + 4] = numbers(size)
    return bytes(result)


def compact(bits: int) -> bytes:
    """Return a clip whose table of sizes has entries of this many bits, with sizes that fit."""
    data = clip("silent_last").read_bytes()
    sizes = struct.unpack(">48I", content_at(data, (*TABLE, b"stsz"))[12:])
    packed = {16: lambda: struct.pack(">48H", *sizes), 32: lambda: struct.pack(">48I", *sizes)}
    return replaced(data, (*TABLE, b"stsz"), box(b"stz2", numbers(0, bits, 48), packed[bits]()))


def timed(*runs: tuple[int, int]) -> bytes:
    """Return a clip with these counts and durations of its 48 frames; an edit list shows 2 s."""
    listed = [number for run in runs for number in run]
    stts = box(b"stts", numbers(0, len(runs), *listed))
    return replaced(clip("silent_last").read_bytes(), (*TABLE, b"stts"), stts)


def endless(*headers: bytes) -> bytes:
    """Return a clip whose last frame never ends; the durations in `headers` count it."""
    data = bytearray(timed((47, 512), (1, 0x7FFFFFFF)))
    for kind in headers:
        at = data.index(kind) + 20
        data[at : at + 4] = numbers(0x7FFFFFFF)
    return bytes(data)


def since_1970() -> bytes:
    """Return a fragmented clip whose times count from 1970, as live encoders write them."""
    data = bytearray(clip("fragmented").read_bytes())
    scales = [int.from_bytes(data[at + 16 :][:4]) for at in _places(data, b"mdhd")]
    for at in _places(data, b"tfdt"):
        track = data[data.rindex(b"tfhd", 0, at) + 8 :][:4]
        ticks = 1_700_000 * scales[int.from_bytes(track) - 1]
        time = int.from_bytes(data[at + 8 : at + 16]) + ticks
        data[at + 8 : at + 16] = time.to_bytes(8)
    return bytes(data)


def flagged(*flags: int) -> bytes:
    """Return a clip whose tracks have these flags."""
    data = bytearray(clip("high").read_bytes())
    for at, flag in zip(_places(data, b"tkhd"), flags, strict=True):
        data[at + 7] = flag
    return bytes(data)


def sized(name: str, width: int, height: int) -> bytes:
    """Return a clip whose container states this size, whatever its stream has."""
    data = bytearray(clip(name).read_bytes())
    entry = data.index(b"stsd") + 16
    data[entry + 28 : entry + 32] = struct.pack(">HH", width, height)
    tkhd = data.index(b"tkhd") + 4
    data[tkhd + 76 : tkhd + 84] = numbers(width << 16, height << 16)
    return bytes(data)


def _places(data: bytes | bytearray, kind: bytes) -> list[int]:
    return [match.start() for match in re.finditer(kind, data)]


# Clips with faults in the header, each of 2 s.
ODD: Mapping[str, Callable[[], bytes]] = {
    "compact_sizes": lambda: compact(16),
    "endless": endless,
    "endless_media": lambda: endless(b"mdhd"),
    "endless_movie": lambda: endless(b"mdhd", b"mvhd"),
    "since_1970": since_1970,
    "first_frame_of_no_length": lambda: timed((1, 0), (47, 512)),
    "middle_frame_of_no_length": lambda: timed((24, 512), (1, 0), (23, 512)),
    "last_frame_of_no_length": lambda: timed((47, 512), (1, 0)),
}
