"""What an MP4 holds, from its headers alone, refused where a decoder should not see it."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4 import box_placement, codecs
from worker.formats.mp4.bounded_numbers import seconds
from worker.formats.mp4.boxes import Box, Extent, Walk, invalid, unhandled
from worker.formats.mp4.colour import Colour
from worker.formats.mp4.sniff import require_mp4
from worker.formats.mp4.tracks import Track, chosen, tracks_of
from worker.formats.mp4.video_track import shape

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # C2PA 2.2 A.5.1: uuid of its box
# Handlers of tracks (ISO/IEC 14496-12, 8.4.3), in words.
_KINDS = {"vide": "video", "soun": "sound", "sbtl": "subtitles", "tmcd": "time code"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """An MP4's facts: seconds, pixels as stored (before `rotation`, degrees clockwise).

    `profile`, `bit_depth` and `chroma` are None where the headers do not say, `audio` where there
    is no audio track. `interlaced`: its pictures may be two fields each. `faststart`: the movie
    header comes before the media data.

    Of several sounds `audio` is the one that is enabled, number `audio_track` (from 0) among them,
    whose edit list hides `audio_hidden` seconds; its `language` is None where it is not told.
    `left_out` names the tracks that are neither it nor the picture.

    `audio` is None as well where no sound of its track is to be heard. `pieced` and
    `audio_pieced` say why packets do not play one after the other as they are, None where they do.
    `duration` and `audio_seconds` are of what the edit lists show, which begins at `start` and
    `audio_start`; of `frames` they show `shown_frames`. Those of audio are None without it.
    `longest`: seconds that the longest frame lasts.
    """

    major_brand: str
    size: int
    duration: float
    width: int
    height: int
    rotation: int
    fourcc: str
    codec: str
    profile: str | None
    bit_depth: int | None
    chroma: str | None
    colour: Colour
    interlaced: bool
    audio: str | None
    audio_seconds: float | None
    audio_start: float | None
    audio_track: int
    audio_hidden: float
    language: str | None
    left_out: tuple[str, ...]
    start: float
    frames: int
    shown_frames: int
    fps: float
    longest: float
    faststart: bool
    fragmented: bool
    has_c2pa: bool
    pieced: str | None
    audio_pieced: str | None

    @property
    def lead(self) -> float:
        """Seconds by which the picture begins after the sound; below 0 where it begins before."""
        return 0.0 if self.audio_start is None else self.start - self.audio_start

    @property
    def ends(self) -> float:
        """When the last picture has been shown, in seconds since picture or sound began."""
        return max(0.0, self.lead) + self.duration

    @property
    def over(self) -> float:
        """When picture and sound have both ended, in seconds since the first of them began."""
        return max(self.ends, max(0.0, -self.lead) + (self.audio_seconds or 0.0))

    @property
    def lines(self) -> int:
        """Pixels of the shorter side, as stored: what "1080p" counts, either way up."""
        return min(self.width, self.height)


def probe(path: Path) -> ProbeResult:
    """Read the headers of the file at `path`, at most 16 MB of them and never its media data.

    Raises `MediaError` (media_invalid) where the file is broken or hostile, `UnsupportedMedia`
    (media_unsupported) where it is media of a kind that is not handled, or honestly beyond the
    bounds (600 s, 4096x2304, 8 tracks). What passed may still hold a stream that does not decode.
    """
    with path.open("rb") as file:
        try:
            return _probe(file, path.stat().st_size)
        except (struct.error, IndexError) as error:
            raise invalid("a box is shorter than the fields it must hold") from error


def has_c2pa(path: Path) -> bool:
    """Whether the file holds content credentials; `MediaError` where its boxes do not fit."""
    with path.open("rb") as file:
        try:
            extents = tuple(Walk().extents(file, path.stat().st_size))
        except struct.error as error:
            raise invalid("the file ends inside the header of a box") from error
        return any(_is_c2pa(file, extent) for extent in extents)


def _probe(file: BinaryIO, length: int) -> ProbeResult:
    head = file.read(512)
    require_mp4(head)
    walk = Walk()
    extents = tuple(walk.extents(file, length))
    moov_at, moov = _movie(file, extents, walk)
    tracks, fragmented = tracks_of(file, extents, walk, moov, length)
    picture = next((track for track in tracks if track.handler == "vide"), None)
    if picture is None:
        raise unhandled("it has no video track")
    sounds = [track for track in tracks if track.handler == "soun"]
    sound = chosen([track for track in sounds if track.shown.samples])
    video = shape(picture, walk)
    if fragmented and picture.shown.hidden:
        raise unhandled("its edit list hides frames of fragments")  # which ffmpeg shows
    media = [extent.start for extent in extents if extent.kind == "mdat"]
    return ProbeResult(
        major_brand="".join(filter(str.isprintable, head[8:12].decode("ascii", "replace"))),
        size=length,
        duration=picture.shown.seconds,
        width=video.width,
        height=video.height,
        rotation=picture.rotation,
        fourcc=video.fourcc,
        codec=video.codec,
        profile=video.profile,
        bit_depth=video.bit_depth,
        chroma=video.chroma,
        colour=video.colour,
        interlaced=video.interlaced,
        audio=codecs.audio(sound.entries[0], walk) if sound else None,
        audio_seconds=sound.shown.seconds if sound else None,
        audio_start=sound.shown.start if sound else None,
        audio_track=sounds.index(sound) if sound else 0,
        audio_hidden=max(0.0, sound.samples.seconds - sound.shown.seconds) if sound else 0.0,
        language=sound.language if sound else None,
        left_out=_named(tracks, picture, sound),
        start=picture.shown.start,
        frames=picture.samples.count,
        shown_frames=picture.shown.samples,
        fps=picture.samples.count / picture.samples.seconds,
        longest=seconds(picture.samples.longest, picture.timescale),
        faststart=bool(media) and moov_at < media[0],
        fragmented=fragmented,
        has_c2pa=any(_is_c2pa(file, extent) for extent in extents),
        pieced=picture.pieced,
        audio_pieced=sound.pieced if sound else None,
    )


def _named(tracks: Sequence[Track], *taken: Track | None) -> tuple[str, ...]:
    """What the other tracks are, as in "track 3: sound (deu)"."""
    kept = [id(track) for track in taken]
    return tuple(
        f"track {number}: {_kind(track)}" + (f" ({track.language})" if track.language else "")
        for number, track in enumerate(tracks, 1)
        if id(track) not in kept
    )


def _kind(track: Track) -> str:
    return _KINDS.get(track.handler) or "".join(filter(str.isalnum, ascii(track.handler)))


def _movie(file: BinaryIO, extents: tuple[Extent, ...], walk: Walk) -> tuple[int, Box]:
    """The one movie header and where it begins."""
    if any(extent.kind == "meta" for extent in extents):
        raise unhandled("it holds still pictures beside or instead of a video")
    box_placement.require_root(extents)
    match [extent for extent in extents if extent.kind == "moov"]:
        case [extent]:
            moov = walk.load(file, extent)
            box_placement.require_inside(moov, walk)
        case []:
            raise invalid("it has no movie header ('moov' box)")
        case _:
            raise invalid("it has more than one movie header")
    return extent.start, moov


def _is_c2pa(file: BinaryIO, extent: Extent) -> bool:
    if extent.kind != "uuid":
        return False
    file.seek(extent.start + extent.header)
    return file.read(16) == C2PA
