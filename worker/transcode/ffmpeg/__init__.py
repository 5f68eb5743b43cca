"""ffmpeg as a bounded subprocess."""

from worker.transcode.ffmpeg.discovery import FfmpegUnusable
from worker.transcode.ffmpeg.ffmpeg import Ffmpeg
from worker.transcode.ffmpeg.isolation import MEANING, Isolation
from worker.transcode.ffmpeg.limits import ResourceLimits, Used, Work
from worker.transcode.ffmpeg.progress import Advance

__all__ = [
    "MEANING",
    "Advance",
    "Ffmpeg",
    "FfmpegUnusable",
    "Isolation",
    "ResourceLimits",
    "Used",
    "Work",
]
