"""An HLS ladder of finished renditions (RFC 8216): their packets, in fragments of one file each.

Nothing is encoded again but what an edit list hides in part: the renditions have a keyframe where
each segment begins. The segments are tagged, and not signed: c2pa-python signs whole files alone.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.mp4 import ProbeResult, Stamp, probe
from worker.transcode import verification
from worker.transcode.command import ENCODE_AUDIO, as_timed, keyframes, last_end, said_language
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.hls.playlist import Rung, master_playlist, media_playlist
from worker.transcode.hls.segments import Segmented, segmented
from worker.transcode.hls.tagging import tag
from worker.transcode.metering import Cost
from worker.transcode.outputs import H264, Hls

_MADE = "fragments.mp4"
_PRIMING = 0.1  # seconds before the sound that a decoder of AAC wants, and that are not heard
_EARLY = 0.01  # seconds that clocks may round
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
            fitted = ffmpeg.fitted(held, outputs=1)
            outputs = _outputs(held, asked, fitted)
            used = fitted.run(outputs, source=video, cwd=Path(cwd), duration=held.duration)
            found = _tagged(Path(cwd, _MADE), media, held, asked, stamp)
        cost.child(used)
        playlist = media.with_suffix(".m3u8").name
        rungs.append(Rung(playlist=playlist, media=media.name, fps=held.fps, found=found))
    files = _written(rungs, into, asked)
    cost.bytes_in += sum(video.stat().st_size for video in videos)
    cost.bytes_out += sum(path.stat().st_size for path in files)
    return files


def _outputs(held: ProbeResult, asked: Hls, ffmpeg: Ffmpeg) -> list[str]:
    # Not by the muxer named hls: after a frame that is shown for long, it shows the next too soon
    # (measured with 9.0 and 5.1: 3 s).
    outputs = ["-map", "0:v:0", *_video(held, asked, ffmpeg), "-map", "0:a:0?", *_audio(held)]
    outputs += ["-map_metadata", "-1", *said_language(held)]
    outputs += ["-movflags", "+frag_keyframe+delay_moov+default_base_moof+skip_trailer"]
    outputs += ["-min_frag_duration", str(round(1e6 * held.duration / _FRAGMENTS))]
    return [*outputs, "-f", "mp4", _MADE]


def _video(held: ProbeResult, asked: Hls, ffmpeg: Ffmpeg) -> list[str]:
    """The packets as they are, where all are shown: players of segments know no edit lists."""
    if held.shown_frames == held.frames:
        return ["-c:v", "copy", *last_end(held)]
    encoded = [*H264.options(held.lines), "-threads", str(ffmpeg.threads)]
    return [*encoded, *as_timed(held), *keyframes(asked)]


def _audio(held: ProbeResult) -> list[str]:
    return ["-c:a", "copy"] if held.audio_hidden <= _PRIMING else [*ENCODE_AUDIO]


def _tagged(made: Path, media: Path, held: ProbeResult, asked: Hls, stamp: Stamp) -> Segmented:
    """What `media` holds, once it is `made`, tagged, and all of the video."""
    if not made.is_file():
        raise verification.verification_failed("an output is missing")
    try:
        tag(made, media, stamp)
        found, there = segmented(media, asked.seconds, held), probe(media)
    except (Permanent, MediaError) as failure:
        raise _broken(media, failure.sentence) from failure
    for sentence, holds in _proofs(found, there, held).items():
        if not holds:
            raise _broken(media, sentence)
    return found


def _proofs(found: Segmented, there: ProbeResult, held: ProbeResult) -> dict[str, bool]:
    """What holds of a rung that is the whole video; `there` is what its file says of itself."""
    sound, heard = there.audio_seconds or 0.0, held.audio_seconds or 0.0
    # Their last frame may seem longer: they have no edit list that ends it.
    return {
        f"they last {found.lasting:.2f} s, not {held.duration:.2f} s": _near(
            min(found.lasting, held.duration), held.duration
        ),
        f"all last {found.seconds:.2f} s, not {held.over:.2f} s": _near(found.seconds, held.over),
        f"{found.frames} of {held.shown_frames} frames came through": found.frames
        >= held.shown_frames,
        f"{found.hidden:.2f} s of them are hidden": found.hidden <= _EARLY,
        f"their sound lasts {sound:.2f} s, not {heard:.2f} s": _near(sound, heard),
        "picture and sound begin apart": _near(there.lead, held.lead),
    }


def _near(made: float, source: float) -> bool:
    return abs(made - source) <= max(0.2, 0.02 * source)


def _broken(media: Path, why: str) -> Permanent:
    return verification.verification_failed(
        f"the segments of {media.name} are not the whole video: {why}"
    )


def _written(rungs: Sequence[Rung], into: Path, asked: Hls) -> tuple[Path, ...]:
    """The files, now that the playlists are among them."""
    (into / asked.file).write_text(master_playlist(rungs), encoding="ascii")
    files = [into / asked.file]
    for rung in rungs:
        (into / rung.playlist).write_text(media_playlist(rung), encoding="ascii")
        files += [into / rung.playlist, into / rung.media]
    return tuple(files)
