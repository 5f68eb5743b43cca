"""The playlists of a ladder (RFC 8216): of each rung its segments, and the one that lists these."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from worker.transcode.hls.segments import Segment, Segmented


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One video in segments: the names of its playlist and media, its rate, what it holds."""

    playlist: str
    media: str
    fps: float
    found: Segmented


def media_playlist(rung: Rung) -> str:
    """Of one rung: the bytes of the movie header, then those of each segment."""
    segments = rung.found.segments
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
    """Of all rungs, in the order given: a player begins with the first."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7"]
    if all(segment.independent for rung in rungs for segment in rung.found.segments):
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    for rung in rungs:
        segments, (across, down) = rung.found.segments, rung.found.size
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={_peak(segments)},AVERAGE-BANDWIDTH={_rate(segments)},"
            f"RESOLUTION={across}x{down},FRAME-RATE={rung.fps:.3f},"
            f'CODECS="{rung.found.codecs}"'
        )
        lines.append(rung.playlist)
    return "\n".join((*lines, ""))


def _target(segments: Sequence[Segment]) -> int:
    """Whole seconds that no segment is longer than, rounded (4.3.3.1)."""
    return max(1, math.ceil(max(segment.seconds for segment in segments)))


def _rate(segments: Sequence[Segment]) -> int:
    """Bits a second of segments that follow each other."""
    size = sum(segment.size for segment in segments)
    return math.ceil(8 * size / sum(segment.seconds for segment in segments))


def _peak(segments: Sequence[Segment]) -> int:
    """The largest rate of any that together last 0.5 to 1.5 target durations (4.1)."""
    shortest, longest = 0.5 * _target(segments), 1.5 * _target(segments)
    peak = _rate(segments)
    for begin in range(len(segments)):
        lasting, end = 0.0, begin
        while end < len(segments) and lasting + segments[end].seconds <= longest:
            lasting, end = lasting + segments[end].seconds, end + 1
            if lasting >= shortest:
                peak = max(peak, _rate(segments[begin:end]))
    return peak
