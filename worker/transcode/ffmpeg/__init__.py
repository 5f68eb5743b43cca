"""ffmpeg as a bounded subprocess."""

from worker.transcode.ffmpeg.discovery import FfmpegUnusable
from worker.transcode.ffmpeg.ffmpeg import Ffmpeg
from worker.transcode.ffmpeg.isolation import MEANING, Isolation
from worker.transcode.ffmpeg.limits import ResourceLimits, Work
from worker.transcode.ffmpeg.progress import Advance
from worker.transcode.ffmpeg.usage import ResourceUsage

__all__ = [
    "MEANING",
    "Advance",
    "Ffmpeg",
    "FfmpegUnusable",
    "Isolation",
    "ResourceLimits",
    "ResourceUsage",
    "Work",
]
