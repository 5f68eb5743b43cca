"""The picture of a movie: its video track, within the bounds of what is handled."""

from dataclasses import replace

from worker.formats.mp4 import codecs
from worker.formats.mp4.boxes import Walk, invalid, unhandled
from worker.formats.mp4.tracks import Track

MAX_PIXELS = 4096 * 2304  # of a frame: 3840x2160 passes either way up
_LARGEST = 8192 * 4608  # pixels of what may be meant so
MIN_SIDE = 16  # pixels
MAX_RATE = 1000  # frames a second; encoders look for keyframes among millions of ticks for ever


def shape(picture: Track, walk: Walk) -> codecs.Video:
    """What all sample descriptions of a video track say: ffmpeg begins filters anew for others.

    Raises `UnsupportedMedia` where they differ in more than the encoder, where frames are larger or
    smaller than is handled, or none is shown; `MediaError` (media_invalid) where that is no clip.
    """
    video, *others = (codecs.video(entry, walk) for entry in picture.entries)
    if any(replace(other, profile=video.profile) != video for other in others):
        raise unhandled("its frames change their size or format on the way")
    _require_size(video)
    _require_frames(picture)
    return video


def _require_size(video: codecs.Video) -> None:
    size = f"{video.width}x{video.height}"
    if not 0 < video.width * video.height <= _LARGEST:
        raise invalid(f"it claims to have frames of {size} pixels")
    if video.width * video.height > MAX_PIXELS:
        raise unhandled(f"its frames of {size} pixels are larger than is handled")
    if min(video.width, video.height) < MIN_SIDE:
        raise unhandled(f"its frames of {size} pixels are less than {MIN_SIDE} wide or high")


def _require_frames(picture: Track) -> None:
    if not picture.samples.count or not picture.samples.seconds:
        raise invalid("its video track has no frames, or they last no time")
    if picture.samples.count > max(1.0, MAX_RATE * picture.samples.seconds):
        raise invalid(f"its video has more than {MAX_RATE} frames a second")
    if not picture.shown.samples or not picture.shown.seconds:
        raise unhandled("its edit list shows none of its frames")
