"""An HLS ladder of finished renditions (RFC 8216): their packets, in fragments of one file each.

Nothing is encoded again: the renditions have a keyframe where each segment begins. The segments
are not signed: c2pa-python signs whole files alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from worker import proof
from worker.failures import Permanent
from worker.ffmpeg import Ffmpeg
from worker.mp4 import Probe, probe
from worker.profiles import Hls

_AAC_LC = "mp4a.40.2"
_SEGMENT = re.compile(
    r"#EXTINF:(?P<seconds>[0-9.]+),\n#EXT-X-BYTERANGE:(?P<size>\d+)@(?P<start>\d+)\n"
)
_MAP = re.compile(r'#EXT-X-MAP:URI="[^"]+",BYTERANGE="(?P<size>\d+)@0"\n')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rung:
    """One video in segments: its playlist and media, and bits a second at most and on average."""

    playlist: Path
    media: Path
    peak: int
    average: int
    codecs: str
    held: Probe


def ladder(videos: Sequence[Path], asked: Hls, into: Path, ffmpeg: Ffmpeg) -> tuple[Path, ...]:
    """The files of a ladder of these videos in `into`: the master playlist, then each rung's.

    Raises `Permanent` (media_invalid) where ffmpeg's segments are not all of the video, and what
    `Ffmpeg.run` raises.
    """
    rungs = [_rung(video, asked, into, ffmpeg) for video in videos]
    master = into / asked.file
    master.write_text(_master(rungs), encoding="ascii")
    return (master, *(path for rung in rungs for path in (rung.playlist, rung.media)))


def _rung(video: Path, asked: Hls, into: Path, ffmpeg: Ffmpeg) -> _Rung:
    held = probe(video)
    name = f"{Path(asked.file).stem}-{held.lines}p"
    playlist, media = into / f"{name}.m3u8", into / f"{name}.m4s"
    outputs = ["-map", "0:v:0", "-map", "0:a:0?", "-c", "copy", "-map_metadata", "-1"]
    outputs += ["-f", "hls", "-hls_time", str(asked.seconds), "-hls_playlist_type", "vod"]
    outputs += ["-hls_segment_type", "fmp4", "-hls_flags", "single_file"]
    outputs += ["-hls_segment_filename", media.name, playlist.name]
    ffmpeg.run(outputs, source=video, cwd=into, duration=held.duration)
    segments = _proven(playlist, media, held)
    return _Rung(
        playlist=playlist,
        media=media,
        peak=max(round(8 * size / seconds) for seconds, size in segments),
        average=round(8 * media.stat().st_size / held.duration),
        codecs=_codecs(video, held),
        held=held,
    )


def _proven(playlist: Path, media: Path, held: Probe) -> list[tuple[float, int]]:
    """Seconds and bytes of each segment, which together are the whole video and the whole file."""
    if not playlist.is_file() or not media.is_file():
        raise proof.unproven("an output is missing")
    text = playlist.read_text(encoding="ascii", errors="replace")
    begins = _MAP.search(text)
    segments, end = [], int(begins["size"]) if begins else 0
    for found in _SEGMENT.finditer(text):
        if int(found["start"]) != end or float(found["seconds"]) <= 0:
            raise _broken(playlist)
        end += int(found["size"])
        segments.append((float(found["seconds"]), int(found["size"])))
    lasting = sum(seconds for seconds, _ in segments)
    whole = end == media.stat().st_size and text.endswith("#EXT-X-ENDLIST\n")
    if not segments or not whole or abs(lasting - held.duration) > max(0.2, 0.02 * held.duration):
        raise _broken(playlist)
    return segments


def _broken(playlist: Path) -> Permanent:
    return proof.unproven(f"the segments of {playlist.name} are not the whole video")


def _codecs(video: Path, held: Probe) -> str:
    """RFC 6381: profile, constraints and level stand in the decoder's configuration."""
    with video.open("rb") as file:
        head = file.read(1 << 20)
    configuration = head.find(b"avcC") + 5
    codec = f"avc1.{head[configuration : configuration + 3].hex()}"
    return f"{codec},{_AAC_LC}" if held.audio else codec


def _master(rungs: Sequence[_Rung]) -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for rung in rungs:
        size = f"{rung.held.width}x{rung.held.height}"
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={rung.peak},AVERAGE-BANDWIDTH={rung.average},"
            f'RESOLUTION={size},FRAME-RATE={rung.held.fps:.3f},CODECS="{rung.codecs}"'
        )
        lines.append(rung.playlist.name)
    return "\n".join((*lines, ""))
