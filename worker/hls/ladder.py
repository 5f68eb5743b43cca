"""An HLS ladder of finished renditions (RFC 8216): their packets, in fragments of one file each.

Nothing is encoded again: the renditions have a keyframe where each segment begins. The segments
are tagged, and not signed: c2pa-python signs whole files alone.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from worker import proof
from worker.cost import Cost
from worker.encode import said_language
from worker.failures import Permanent
from worker.ffmpeg import Ffmpeg
from worker.hls.playlist import Rung, master_playlist, media_playlist
from worker.hls.segments import Segmented, segmented
from worker.hls.tagging import tag
from worker.mp4 import Probe, Stamp, probe
from worker.profiles import Hls

_MADE = "fragments.mp4"
_FRAGMENTS = 1000  # at most, however many keyframes there are: each takes a dozen boxes


def ladder(
    videos: Sequence[Path], asked: Hls, into: Path, ffmpeg: Ffmpeg, *, stamp: Stamp, cost: Cost
) -> tuple[Path, ...]:
    """The files of a ladder of these videos in `into`: the master playlist, then each rung's.

    The videos' lines must differ. Each rung's media says of itself what `stamp` says, and `cost`
    has counted ffmpeg's runs and the bytes read and written. Raises `Permanent` (media_invalid)
    where ffmpeg's segments are not all of the video, and what `Ffmpeg.run` raises.
    """
    rungs = []
    for video in videos:
        held = probe(video)
        media = into / f"{Path(asked.file).stem}-{held.lines}p.m4s"
        with tempfile.TemporaryDirectory(prefix=".hls-", dir=into) as cwd:
            outputs = _outputs(held)
            fitted = ffmpeg.fitted(held, outputs=1)
            used = fitted.run(outputs, source=video, cwd=Path(cwd), duration=held.duration)
            found = _tagged(Path(cwd, _MADE), media, held, asked, stamp)
        cost.child(used)
        playlist = media.with_suffix(".m3u8").name
        rungs.append(Rung(playlist=playlist, media=media.name, held=held, found=found))
    files = _written(rungs, into, asked)
    cost.bytes_in += sum(video.stat().st_size for video in videos)
    cost.bytes_out += sum(path.stat().st_size for path in files)
    return files


def _outputs(held: Probe) -> list[str]:
    # Not by the muxer named hls: after a frame that is shown for long, it shows the next too soon
    # (measured with 9.0 and 5.1: 3 s).
    outputs = ["-map", "0:v:0", "-map", "0:a:0?", "-c", "copy", "-map_metadata", "-1"]
    outputs += said_language(held)
    outputs += ["-movflags", "+frag_keyframe+delay_moov+default_base_moof+skip_trailer"]
    outputs += ["-min_frag_duration", str(round(1e6 * held.duration / _FRAGMENTS))]
    return [*outputs, "-f", "mp4", _MADE]


def _tagged(made: Path, media: Path, held: Probe, asked: Hls, stamp: Stamp) -> Segmented:
    """What `media` holds, once it is `made`, tagged, and all of the video."""
    if not made.is_file():
        raise proof.unproven("an output is missing")
    try:
        tag(made, media, stamp)
        found = segmented(media, asked.seconds)
    except Permanent as failure:
        raise _broken(media, failure.sentence) from failure
    if abs(found.seconds - held.duration) > max(0.2, 0.02 * held.duration):
        raise _broken(media, f"they last {found.seconds:.2f} s, not {held.duration:.2f} s")
    if found.frames < held.shown_frames:
        raise _broken(media, f"{found.frames} of {held.shown_frames} frames came through")
    return found


def _broken(media: Path, why: str) -> Permanent:
    return proof.unproven(f"the segments of {media.name} are not the whole video: {why}")


def _written(rungs: Sequence[Rung], into: Path, asked: Hls) -> tuple[Path, ...]:
    """The files, now that the playlists are among them."""
    (into / asked.file).write_text(master_playlist(rungs), encoding="ascii")
    files = [into / asked.file]
    for rung in rungs:
        (into / rung.playlist).write_text(media_playlist(rung), encoding="ascii")
        files += [into / rung.playlist, into / rung.media]
    return tuple(files)
