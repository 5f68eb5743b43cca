"""The playlists of a ladder (RFC 8216): one for each rung, and a master playlist of these."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from worker.transcode.hls.segments import Segment, Segmented


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One segmented video, and the names of its playlist and its media file."""

    playlist: str
    media: str
    fps: float
    video: Segmented


def media_playlist(rung: Rung) -> str:
    """Return the playlist of one rung: byte ranges of its movie header and of each segment."""
    segments = rung.video.segments
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{_target(segments)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f'#EXT-X-MAP:URI="{rung.media}",BYTERANGE="{segments[0].start}@0"',
    ]
    for segment in segments:
        lines.append(f"#EXTINF:{segment.seconds:.6f},")
        lines.append(f"#EXT-X-BYTERANGE:{segment.size}@{segment.start}")
        lines.append(rung.media)
    return "\n".join((*lines, "#EXT-X-ENDLIST", ""))


def master_playlist(rungs: Sequence[Rung]) -> str:
    """Return the playlist of all rungs in this order; a player begins with the first."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7"]
    if all(segment.independent for rung in rungs for segment in rung.video.segments):
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    for rung in rungs:
        segments, (width, height) = rung.video.segments, rung.video.size
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={_peak(segments)},AVERAGE-BANDWIDTH={_rate(segments)},"
            f"RESOLUTION={width}x{height},FRAME-RATE={rung.fps:.3f},"
            f'CODECS="{rung.video.codecs}"'
        )
        lines.append(rung.playlist)
    return "\n".join((*lines, ""))


def _target(segments: Sequence[Segment]) -> int:
    """Return the longest segment's seconds, rounded up (4.3.3.1)."""
    return max(1, math.ceil(max(segment.seconds for segment in segments)))


def _rate(segments: Sequence[Segment]) -> int:
    """Return the average bits per second of consecutive segments."""
    size = sum(segment.size for segment in segments)
    return math.ceil(8 * size / sum(segment.seconds for segment in segments))


def _peak(segments: Sequence[Segment]) -> int:
    """Return the largest rate of consecutive segments of 0.5 to 1.5 target durations (4.1)."""
    shortest, longest = 0.5 * _target(segments), 1.5 * _target(segments)
    peak = _rate(segments)
    for begin in range(len(segments)):
        seconds, end = 0.0, begin
        while end < len(segments) and seconds + segments[end].seconds <= longest:
            seconds, end = seconds + segments[end].seconds, end + 1
            if seconds >= shortest:
                peak = max(peak, _rate(segments[begin:end]))
    return peak
