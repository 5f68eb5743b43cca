"""ffmpeg as a bounded subprocess."""

from worker.ffmpeg.installed import FfmpegUnusable
from worker.ffmpeg.isolation import MEANING, Isolation
from worker.ffmpeg.limits import Limits, Used, Work
from worker.ffmpeg.outcome import Advance
from worker.ffmpeg.program import Ffmpeg

__all__ = ["MEANING", "Advance", "Ffmpeg", "FfmpegUnusable", "Isolation", "Limits", "Used", "Work"]
