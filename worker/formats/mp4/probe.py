"""The facts of an MP4, from its headers alone. Files unsafe for a decoder are refused."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4 import audio_codecs, box_placement
from worker.formats.mp4.bounded_numbers import seconds
from worker.formats.mp4.boxes import Box, Extent, Walk, invalid, unsupported
from worker.formats.mp4.colour import Colour
from worker.formats.mp4.sniff import require_mp4
from worker.formats.mp4.tracks import Track, default_track, tracks_of
from worker.formats.mp4.video_track import video_description

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # C2PA 2.2, A.5.1: UUID of its box
# Words for the handlers of tracks (ISO/IEC 14496-12, 8.4.3).
_KINDS = {"vide": "video", "soun": "sound", "sbtl": "subtitles", "tmcd": "time code"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The facts of an MP4, in seconds and in pixels as stored (before rotation).

    `size`: bytes of the file, of which `rest` follow the movie. `width` and `height` are those of
    the stream. `aspect`: width and height of a pixel. `rotation`: degrees clockwise. `profile`,
    `bit_depth`, `chroma`: None if the headers do not state them. `interlaced`: a frame may be two
    fields. `faststart`: the movie header comes before the media data. `fps`: the average rate.
    `longest`: the duration of the longest frame.

    `video_bytes`: of the video's samples, or of the whole file if it is in fragments.
    `keyframes_apart`: the most seconds between two keyframes; of fragments, 0.

    `audio`: the codec of the first enabled audio track, or None if no audio is presented.
    `audio_track`: its number among the audio tracks, from 0. `audio_hidden`: seconds of it that its
    edit list hides. `language`: None if not stated. `left_out`: the other tracks.

    `start`, `duration`, `audio_start`, `audio_seconds`: what the edit lists present. Those of audio
    are None without audio. `shown_frames`: how many of `frames` are presented. `pieced`,
    `audio_pieced`: why the packets cannot be played consecutively, or None.

    `channels`, `sample_rate`: of the audio, as its entry states, 0 if unknown. `ambisonic`:
    channels are sound fields, not places.
    `endless`: the last sample of a track would last longer than any clip, but an edit ends it.
    """

    major_brand: str
    size: int
    rest: int
    duration: float
    width: int
    height: int
    aspect: tuple[int, int]
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
    video_bytes: int
    keyframes_apart: float
    pieced: str | None
    audio_pieced: str | None
    channels: int
    sample_rate: int
    ambisonic: bool
    endless: bool

    @property
    def lead(self) -> float:
        """Seconds by which the video starts after the audio; negative if it starts before."""
        return 0.0 if self.audio_start is None else self.start - self.audio_start

    @property
    def ends(self) -> float:
        """The end of the video, in seconds since the first of video and audio started."""
        return max(0.0, self.lead) + self.duration

    @property
    def over(self) -> float:
        """The end of both video and audio, in seconds since the first of them started."""
        return max(self.ends, max(0.0, -self.lead) + (self.audio_seconds or 0.0))

    @property
    def bit_rate(self) -> float:
        """Bits per second of the video, without its sound."""
        return 8 * self.video_bytes / self.duration

    @property
    def lines(self) -> int:
        """Pixels of the shorter side, as stored: the number in "1080p", in either orientation."""
        return min(self.width, self.height)

    @property
    def displayed(self) -> tuple[int, int]:
        """Width and height of the picture on a screen: in square pixels, after rotation."""
        wide, high = self.aspect
        width = max(1, round(self.width * wide / high))
        return (self.height, width) if self.rotation % 180 else (width, self.height)


def probe(path: Path) -> ProbeResult:
    """Read the headers of the file at `path`, at most 16 MB of them and never its media data.

    Raises `MediaError` (media_invalid) for a broken or hostile file, `UnsupportedMedia`
    (media_unsupported) for other media and for an honest file beyond the limits (600 s, 4096x2304,
    8 tracks). The streams of a file that passes may still fail to decode.
    """
    with path.open("rb") as file:
        return probe_file(file, path.stat().st_size)


def probe_file(file: BinaryIO, length: int) -> ProbeResult:
    """Return what `probe` returns, for an open file of this many bytes."""
    try:
        return _probe(file, length)
    except (struct.error, IndexError) as error:
        raise invalid("a box is shorter than the fields it must hold") from error


def has_c2pa(path: Path) -> bool:
    """Return whether the file holds content credentials; `MediaError` if its boxes do not fit."""
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
    moov_at, moov = _movie_header(file, extents, walk)
    tracks, fragmented = tracks_of(file, extents, walk, moov, length)
    video = next((track for track in tracks if track.handler == "vide"), None)
    if video is None:
        raise unsupported("it has no video track")
    audio_tracks = [track for track in tracks if track.handler == "soun"]
    audio = default_track([track for track in audio_tracks if track.shown.samples])
    sound = audio_codecs.audio(audio.entries[0], walk) if audio else None
    description = video_description(video, walk)
    if fragmented and video.shown.hidden:
        raise unsupported("its edit list hides frames of fragments")  # ffmpeg shows them
    media = [extent.start for extent in extents if extent.kind == "mdat"]
    return ProbeResult(
        major_brand="".join(filter(str.isprintable, head[8:12].decode("ascii", "replace"))),
        size=length,
        rest=length - (extents[-1].start + extents[-1].size),
        duration=video.shown.seconds,
        width=description.width,
        height=description.height,
        aspect=description.aspect,
        rotation=video.rotation,
        fourcc=description.fourcc,
        codec=description.codec,
        profile=description.profile,
        bit_depth=description.bit_depth,
        chroma=description.chroma,
        colour=description.colour,
        interlaced=description.interlaced,
        audio=sound.codec if sound else None,
        audio_seconds=audio.shown.seconds if audio else None,
        audio_start=audio.shown.start if audio else None,
        audio_track=audio_tracks.index(audio) if audio else 0,
        audio_hidden=max(0.0, audio.samples.seconds - audio.shown.seconds) if audio else 0.0,
        language=audio.language if audio else None,
        left_out=_other_tracks(tracks, video, audio),
        start=video.shown.start,
        frames=video.samples.count,
        shown_frames=video.shown.samples,
        fps=video.samples.count / video.samples.seconds,
        longest=seconds(video.samples.longest, video.timescale),
        faststart=bool(media) and moov_at < media[0],
        fragmented=fragmented,
        has_c2pa=any(_is_c2pa(file, extent) for extent in extents),
        video_bytes=length if fragmented else video.samples.size,
        keyframes_apart=seconds(video.samples.keyed, video.timescale),
        pieced=video.pieced,
        audio_pieced=audio.pieced if audio else None,
        channels=sound.channels if sound else 0,
        sample_rate=audio_codecs.stated_rate(audio.entries[0]) if audio else 0,
        ambisonic=sound is not None and sound.ambisonic,
        endless=any(track.samples.excess for track in tracks),
    )


def _other_tracks(tracks: Sequence[Track], *used: Track | None) -> tuple[str, ...]:
    """Describe the tracks that are not used, as in "track 3: sound (deu)"."""
    used_ids = [id(track) for track in used]
    return tuple(
        f"track {number}: {_kind(track)}" + (f" ({track.language})" if track.language else "")
        for number, track in enumerate(tracks, 1)
        if id(track) not in used_ids
    )


def _kind(track: Track) -> str:
    return _KINDS.get(track.handler) or "".join(filter(str.isalnum, ascii(track.handler)))


def _movie_header(file: BinaryIO, extents: tuple[Extent, ...], walk: Walk) -> tuple[int, Box]:
    """Return the offset of the only movie header, and the header."""
    if any(extent.kind == "meta" for extent in extents):
        raise unsupported("it holds still images in addition to, or instead of, a video")
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
