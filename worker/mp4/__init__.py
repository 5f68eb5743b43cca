"""MP4 without a decoder: what a file holds, whether a decoder may see it, and what it says."""

from worker.mp4.boxes import Unhandled
from worker.mp4.colour import Colour, container_colour
from worker.mp4.facts import Probe
from worker.mp4.moves import NotRewritable
from worker.mp4.nal import intact
from worker.mp4.numbers import MAX_SECONDS
from worker.mp4.packet import credentials_of
from worker.mp4.picture import MAX_PIXELS
from worker.mp4.probe import has_c2pa, probe
from worker.mp4.rewrite import Stamp, rewrite
from worker.mp4.tags import others as other_tags
from worker.mp4.tags import read as read_tags
from worker.mp4.tags import udta

__all__ = [
    "MAX_PIXELS",
    "MAX_SECONDS",
    "Colour",
    "NotRewritable",
    "Probe",
    "Stamp",
    "Unhandled",
    "container_colour",
    "credentials_of",
    "has_c2pa",
    "intact",
    "other_tags",
    "probe",
    "read_tags",
    "rewrite",
    "udta",
]
