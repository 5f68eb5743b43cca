"""ffmpeg as a bounded subprocess."""

from worker.ffmpeg.program import Ffmpeg, FfmpegUnusable
from worker.ffmpeg.sandbox import Limits, Used

__all__ = ["Ffmpeg", "FfmpegUnusable", "Limits", "Used"]
