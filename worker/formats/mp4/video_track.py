"""The video track of a movie, within the limits of what is supported."""

from dataclasses import replace

from worker.formats.mp4 import codecs
from worker.formats.mp4.boxes import Walk, invalid, unsupported
from worker.formats.mp4.tracks import Track

MAX_PIXELS = 4096 * 2304  # of a frame: 3840x2160 passes in either orientation
_LARGEST_HONEST = 8192 * 4608  # pixels
MIN_SIDE = 16  # pixels
MAX_RATE = 1000  # frames a second; above it encoders search millions of ticks for keyframes


def video_description(track: Track, walk: Walk) -> codecs.Video:
    """Return what all sample descriptions of a video track agree on.

    Raises `UnsupportedMedia` if they differ in more than the profile, since ffmpeg restarts its
    filters for that; if frames are larger or smaller than supported, or none is shown. Raises
    `MediaError` (media_invalid) for numbers that no honest clip has.
    """
    video, *others = (codecs.video(entry, walk) for entry in track.entries)
    if any(replace(other, profile=video.profile) != video for other in others):
        raise unsupported("its frames change size or format partway through")
    _require_size(*video.stated)
    _require_size(video.width, video.height)
    _require_frames(track)
    return video


def _require_size(width: int, height: int) -> None:
    size = f"{width}x{height}"
    if not 0 < width * height <= _LARGEST_HONEST:
        raise invalid(f"it claims to have frames of {size} pixels")
    if width * height > MAX_PIXELS:
        raise unsupported(f"its frames of {size} pixels are larger than is supported")
    if min(width, height) < MIN_SIDE:
        raise unsupported(f"its frames of {size} pixels are under {MIN_SIDE} pixels wide or high")


def _require_frames(track: Track) -> None:
    if not track.samples.count or not track.samples.seconds:
        raise invalid("its video track has no frames, or they have no duration")
    if track.samples.count > max(1.0, MAX_RATE * track.samples.seconds):
        raise invalid(f"its video has more than {MAX_RATE} frames a second")
    if not track.shown.samples or not track.shown.seconds:
        raise unsupported("its edit list shows none of its frames")
