"""What a result holds: the files that fal rendered."""

from worker.failures import Permanent
from worker.jobs import Json


def video_address(payload: Json) -> str:
    """The address of the rendered video.

    https://fal.ai/docs : a File has `url` and may lack everything else. Raises Permanent
    ("no_video") where the result holds none.
    """
    match payload:
        case {"video": {"url": str(address)}} if address:
            return address
    raise Permanent("no_video", "fal's result holds no video with an address")
