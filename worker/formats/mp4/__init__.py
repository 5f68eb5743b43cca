"""MP4 files, without a decoder: their facts, their tags, and whether they are safe to decode."""

from worker.formats.mp4.bounded_numbers import MAX_SECONDS
from worker.formats.mp4.colour import Colour
from worker.formats.mp4.media_data import NotRewritable
from worker.formats.mp4.nal_units import intact
from worker.formats.mp4.probe import ProbeResult, has_c2pa, probe, probe_file
from worker.formats.mp4.repair import faults, repair
from worker.formats.mp4.rewrite import Stamp, rewrite
from worker.formats.mp4.tags import others as other_tags
from worker.formats.mp4.tags import read as read_tags
from worker.formats.mp4.tags import udta
from worker.formats.mp4.uuid_boxes import credentials_of
from worker.formats.mp4.video_track import MAX_PIXELS

__all__ = [
    "MAX_PIXELS",
    "MAX_SECONDS",
    "Colour",
    "NotRewritable",
    "ProbeResult",
    "Stamp",
    "credentials_of",
    "faults",
    "has_c2pa",
    "intact",
    "other_tags",
    "probe",
    "probe_file",
    "read_tags",
    "repair",
    "rewrite",
    "udta",
]
