"""The jobs of `make demo`."""

from collections.abc import Mapping
from dataclasses import dataclass

KLING = "fal-ai/kling-video"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoJob:
    """A job of the demo and its expected end; `reason` explains an end other than publication."""

    endpoint: str
    arguments: Mapping[str, object]
    state: str = "PUBLISHED"
    reason: str = ""


JOBS = (
    DemoJob(
        endpoint=f"{KLING}/v2.1/master/text-to-video",
        arguments={"prompt": "A red fox crosses fresh snow at dawn", "duration": "5"},
    ),
    DemoJob(
        endpoint=f"{KLING}/v2.1/pro/image-to-video",
        arguments={
            "prompt": "The robin lifts off",
            "image_url": "https://v3.fal.media/files/zebra/9Nrm22YyLojSTPJbZYNhh_image.webp",
            "duration": "10",
        },
    ),
    DemoJob(
        endpoint=f"{KLING}/v2.5-turbo/pro/text-to-video",
        arguments={
            "prompt": "A paper boat in the rain [[sim: error-platform]]",
            "aspect_ratio": "9:16",
        },
        state="FAILED",
        reason="fails on purpose: its prompt makes the simulated fal fail the render, which costs "
        "nothing",
    ),
)
