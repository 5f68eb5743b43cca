"""The facts of an MP4, as its headers tell them."""

from dataclasses import dataclass

from worker.formats.mp4.colour import Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
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
