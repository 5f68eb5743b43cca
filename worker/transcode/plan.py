"""What ffmpeg is to make of one clip, and where in it that begins."""

from dataclasses import dataclass
from typing import Literal

from worker.formats.mp4 import ProbeResult
from worker.transcode.outputs import BlurHash, Hls, Output, Still, Storyboard

Method = Literal["copy", "transcode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What ffmpeg is to make: `master` is None where video.mp4 is made without it."""

    source: ProbeResult
    master: Method | None
    lines: int | None
    outputs: tuple[Output, ...]

    @property
    def ladder(self) -> Hls | None:
        """The ladder that is made of the renditions."""
        return next((output for output in self.outputs if isinstance(output, Hls)), None)

    @property
    def boards(self) -> list[Storyboard]:
        """The outputs that are joined of frames when ffmpeg has ended."""
        return [output for output in self.outputs if isinstance(output, Storyboard)]

    @property
    def seek(self) -> float:
        """Seconds that no output needs: those before the stills, where nothing else is made."""
        outputs = [output for output in self.outputs if not isinstance(output, Hls)]
        moments = [
            self.moment(output) for output in outputs if isinstance(output, Still | BlurHash)
        ]
        if self.master or not outputs or len(moments) < len(outputs):
            return 0.0
        return min(moments)

    def moment(self, still: Still | BlurHash) -> float:
        """When the still's frame is shown, in seconds: the middle of a clip that is too short."""
        return max(0.0, self.source.lead) + min(still.at, self.source.duration / 2)
