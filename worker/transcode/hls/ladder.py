"""An HLS ladder of finished renditions (RFC 8216): their packets, in fragments of one file each.

Nothing is encoded again unless an edit list hides part of it, or the sound ends too early: the
renditions have a keyframe where each segment begins. The segments are tagged but not signed:
c2pa-python signs whole files only.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from worker.errors import Permanent
from worker.formats.errors import MediaError
from worker.formats.mp4 import ProbeResult, Stamp, probe
from worker.transcode.command import as_timed, keyframes, language, last_end
from worker.transcode.ffmpeg import Ffmpeg, ResourceUsage
from worker.transcode.hls.playlist import Rung, master_playlist, media_playlist
from worker.transcode.hls.segments import Segmented, segmented
from worker.transcode.hls.tagging import tag
from worker.transcode.outputs import H264, Hls, aac
from worker.transcode.verification import nearly_equal, verification_failed

_FRAGMENTED = "fragments.mp4"
_PRIMING = 0.1  # seconds before the sound that an AAC decoder needs and nobody hears
_NOTICED = 1.0  # seconds between two tracks that hls.js tolerates
_EARLY = 0.01  # seconds that clocks may round
_FRAGMENTS = 1000  # at most, however many keyframes there are: each takes a dozen boxes


def build_ladder(
    videos: Sequence[Path],
    hls: Hls,
    into: Path,
    ffmpeg: Ffmpeg,
    *,
    stamp: Stamp,
    usage: ResourceUsage,
) -> tuple[Path, ...]:
    """Write a ladder of these videos to `into`; return the master playlist, then each rung's files.

    The videos must differ in their lines. The media of each rung is tagged with `stamp`. ffmpeg's
    runs and the bytes read and written are added to `usage`. Raises `Permanent` (media_invalid) if
    the segments are not the whole video, and what `Ffmpeg.run` raises.
    """
    rungs = []
    for video in videos:
        source = probe(video)
        media = into / f"{Path(hls.file).stem}-{source.lines}p.m4s"
        write = partial(
            _write, video, source, media, hls=hls, ffmpeg=ffmpeg, stamp=stamp, usage=usage
        )
        segments = write(_filled(source, hls))
        if _would_be_cut(segments, source):
            segments = write(_with_silence(source))
        playlist = media.with_suffix(".m3u8").name
        rungs.append(Rung(playlist=playlist, media=media.name, fps=source.fps, video=segments))
    files = _write_playlists(rungs, into, hls)
    usage.bytes_in += sum(video.stat().st_size for video in videos)
    usage.bytes_out += sum(path.stat().st_size for path in files)
    return files


def _write(
    video: Path,
    source: ProbeResult,
    media: Path,
    shown: ProbeResult,
    *,
    hls: Hls,
    ffmpeg: Ffmpeg,
    stamp: Stamp,
    usage: ResourceUsage,
) -> Segmented:
    """Write the rung of a video to `media`; return its segments, which are all of `shown`."""
    with tempfile.TemporaryDirectory(prefix=".hls-", dir=media.parent) as cwd:
        fitted = ffmpeg.fitted(source, outputs=1)
        outputs = _outputs(source, shown, hls, fitted)
        run = fitted.run(outputs, source=video, cwd=Path(cwd), duration=source.duration)
        usage.add_child(run)
        return _tag(Path(cwd, _FRAGMENTED), media, shown, hls, stamp)


def _filled(source: ProbeResult, hls: Hls) -> ProbeResult:
    """Return what the segments show of a rendition: hls.js waits for a picture or sound forever.

    So if the picture begins more than a segment later than the sound, its first frame is shown
    from the beginning; and if it ends more than a segment later, silence follows the sound.
    """
    held = source.lead if source.lead > hls.seconds else 0.0
    shown = replace(source, start=source.start - held, duration=source.duration + held)
    if source.audio is None or source.ends - _sound_ends(source) <= hls.seconds:
        return shown
    return _with_silence(shown)


def _with_silence(shown: ProbeResult) -> ProbeResult:
    """Return the same with sound that lasts as long as the picture."""
    return replace(shown, audio_seconds=shown.ends - max(0.0, -shown.lead))


def _would_be_cut(segments: Segmented, source: ProbeResult) -> bool:
    """Return whether hls.js drops the end of a clip whose picture begins this much later.

    It places a last segment without sound where the sound ended, not where the picture continues
    (measured with 1.6.19: of 5.5 s, the last 0.48 were dropped).
    """
    last = segments.seconds - segments.segments[-1].seconds
    return source.lead > _NOTICED and 0 < _sound_ends(source) <= last


def _sound_ends(source: ProbeResult) -> float:
    return max(0.0, -source.lead) + (source.audio_seconds or 0.0)


def _outputs(source: ProbeResult, shown: ProbeResult, hls: Hls, ffmpeg: Ffmpeg) -> list[str]:
    # Not by the muxer named hls: after a frame that is shown for long, it shows the next too soon
    # (measured with 9.0 and 5.1: 3 s).
    outputs = ["-map", "0:v:0", *_video(source, source.start - shown.start, hls, ffmpeg)]
    outputs += ["-map", "0:a:0?", *_audio(source, shown.audio_seconds or 0.0)]
    outputs += ["-map_metadata", "-1", *language(source)]
    outputs += ["-movflags", "+frag_keyframe+delay_moov+default_base_moof+skip_trailer"]
    outputs += ["-min_frag_duration", str(round(1e6 * source.duration / _FRAGMENTS))]
    return [*outputs, "-f", "mp4", _FRAGMENTED]


def _video(source: ProbeResult, held: float, hls: Hls, ffmpeg: Ffmpeg) -> list[str]:
    """Copy the packets if all are shown: players of segments ignore edit lists."""
    if source.shown_frames == source.frames:
        return ["-c:v", "copy", *last_end(source, held=held)]
    encoded = [*H264.options(source.lines), "-threads", str(ffmpeg.threads)]
    return [*encoded, *as_timed(source, held=held), *keyframes(hls.seconds)]


def _audio(source: ProbeResult, seconds: float) -> list[str]:
    encoded = aac(source.channels)
    if seconds > (source.audio_seconds or 0.0):
        return [*encoded, "-af", f"apad=whole_dur={seconds:.6f}"]
    return ["-c:a", "copy"] if source.audio_hidden <= _PRIMING else [*encoded]


def _tag(output: Path, media: Path, source: ProbeResult, hls: Hls, stamp: Stamp) -> Segmented:
    """Write `output` to `media` with the stamp; return its segments if they are all of `source`."""
    if not output.is_file():
        raise verification_failed("an output is missing")
    try:
        tag(output, media, stamp)
        segments, headers = segmented(media, hls.seconds, source), probe(media)
    except (Permanent, MediaError) as failure:
        raise _incomplete(media, failure.sentence) from failure
    for sentence, holds in _checks(segments, headers, source).items():
        if not holds:
            raise _incomplete(media, sentence)
    return segments


def _checks(segments: Segmented, headers: ProbeResult, source: ProbeResult) -> dict[str, bool]:
    """Return what must hold of a rung's segments, and of the headers of its file."""
    sound, expected = headers.audio_seconds or 0.0, source.audio_seconds or 0.0
    # Their last frame may seem longer: they have no edit list that ends it.
    picture = min(segments.lasting, source.duration)
    return {
        f"they last {segments.lasting:.2f} s, not {source.duration:.2f} s": nearly_equal(
            picture, source.duration
        ),
        f"all last {segments.seconds:.2f} s, not {source.over:.2f} s": nearly_equal(
            segments.seconds, source.over
        ),
        f"{segments.frames} of {source.shown_frames} frames came through": segments.frames
        >= source.shown_frames,
        f"{segments.hidden:.2f} s of them are hidden": segments.hidden <= _EARLY,
        f"their sound lasts {sound:.2f} s, not {expected:.2f} s": nearly_equal(sound, expected),
        "picture and sound do not begin together": nearly_equal(headers.lead, source.lead),
    }


def _incomplete(media: Path, why: str) -> Permanent:
    return verification_failed(f"the segments of {media.name} are not the whole video: {why}")


def _write_playlists(rungs: Sequence[Rung], into: Path, hls: Hls) -> tuple[Path, ...]:
    """Write the playlists; return all files of the ladder."""
    (into / hls.file).write_text(master_playlist(rungs), encoding="ascii")
    files = [into / hls.file]
    for rung in rungs:
        (into / rung.playlist).write_text(media_playlist(rung), encoding="ascii")
        files += [into / rung.playlist, into / rung.media]
    return tuple(files)
