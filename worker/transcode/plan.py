"""What ffmpeg has to write for one clip."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, Self

from worker.formats.mp4 import ProbeResult
from worker.transcode.conformance import video_reasons
from worker.transcode.gain import Gain
from worker.transcode.outputs import Hls, Output, Rendition, Social, Stills, Storyboard
from worker.transcode.profiles import Profile
from worker.transcode.web_limits import KEYFRAME_SECONDS

Method = Literal["copy", "transcode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What ffmpeg has to write: `master` is None if video.mp4 is written without ffmpeg.

    `poster`: the second of the picture that stills show, None for the moment of each. `gain`: of
    the sound, and `social_gain` of that in `social.mp4`; None if it is as loud as its source.
    """

    source: ProbeResult
    master: Method | None
    lines: int | None
    outputs: tuple[Output, ...]
    poster: float | None = None
    gain: Gain | None = None
    social_gain: Gain | None = None

    @property
    def ladder(self) -> Hls | None:
        """The HLS ladder, if the profile has one."""
        return next((output for output in self.outputs if isinstance(output, Hls)), None)

    @property
    def keyframe_seconds(self) -> float | None:
        """Seconds from one forced keyframe to the next: of the ladder's segments, or of the web."""
        if self.ladder:
            return self.ladder.seconds
        return None if self.lines is None else KEYFRAME_SECONDS

    @property
    def boards(self) -> list[Storyboard]:
        """The storyboards, whose frames are joined in a second run."""
        return [output for output in self.outputs if isinstance(output, Storyboard)]

    @property
    def decodes_all(self) -> bool:
        """Whether an output needs every frame of the source."""
        needs_all = (Rendition, Social, Storyboard)
        return self.master == "transcode" or any(isinstance(o, needs_all) for o in self.outputs)

    @property
    def seek(self) -> float:
        """Seconds at the start that no output needs; 0 unless all outputs are stills."""
        outputs = [output for output in self.outputs if not isinstance(output, Hls)]
        moments = [self.moment(output) for output in outputs if isinstance(output, Stills)]
        if self.master or not outputs or len(moments) < len(outputs):
            return 0.0
        return min(moments)

    def moment(self, still: Stills) -> float:
        """Return the second at which the still's frame is shown; the middle of a short clip."""
        first = min(still.at, self.source.duration / 2)
        return max(0.0, self.source.lead) + (first if self.poster is None else self.poster)

    def without(self, files: Collection[str]) -> Self:
        """Return the plan without the outputs of these file names."""
        outputs = (output for output in self.outputs if output.file not in files)
        return replace(self, outputs=tuple(outputs))


def plan_outputs(
    source: ProbeResult, profile: Profile, *, copied: bool, poster: float | None = None
) -> Plan:
    """Plan the profile's outputs; `copied` means that video.mp4 was written without ffmpeg.

    `poster`: the second of the picture that its stills show, if one is requested.
    """
    method: Method = "transcode" if video_reasons(source, profile.lines) else "copy"
    return Plan(
        source=source,
        master=None if copied else method,
        lines=profile.lines,
        outputs=tuple(output for output in profile.outputs if _is_useful(output, source, profile)),
        poster=poster,
    )


def skipped_files(source: ProbeResult, profile: Profile) -> tuple[str, ...]:
    """Return the H.264 renditions that would be no smaller than the video itself."""
    skipped = (output for output in profile.outputs if not _is_useful(output, source, profile))
    return tuple(output.file for output in skipped)


def _is_useful(output: Output, source: ProbeResult, profile: Profile) -> bool:
    # The video is always H.264, so a rendition in another codec differs from it at any size.
    if not isinstance(output, Rendition) or output.codec != "avc1":
        return True
    return output.lines < min(source.lines, profile.lines or source.lines)
