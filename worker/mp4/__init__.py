"""MP4 without a decoder: what a file holds, and whether a decoder may see it."""

from worker.mp4.probe import MAX_PIXELS, Probe, probe
from worker.mp4.samples import MAX_SECONDS
from worker.mp4.tags import read as read_tags

__all__ = ["MAX_PIXELS", "MAX_SECONDS", "Probe", "probe", "read_tags"]
