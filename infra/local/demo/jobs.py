"""The jobs of `make demo`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KLING = "fal-ai/kling-video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A job of the demo and how it has to end; `why` says so where that is not publication."""

    endpoint: str
    arguments: Mapping[str, object]
    state: str = "PUBLISHED"
    why: str = ""


JOBS = (
    Wanted(
        endpoint=f"{KLING}/v2.1/master/text-to-video",
        arguments={"prompt": "A red fox crosses fresh snow at dawn", "duration": "5"},
    ),
    Wanted(
        endpoint=f"{KLING}/v2.1/pro/image-to-video",
        arguments={
            "prompt": "The robin lifts off",
            "image_url": "https://v3.fal.media/files/zebra/9Nrm22YyLojSTPJbZYNhh_image.webp",
            "duration": "10",
        },
    ),
    Wanted(
        endpoint=f"{KLING}/v2.5-turbo/pro/text-to-video",
        arguments={
            "prompt": "A paper boat in the rain [[sim: error-platform]]",
            "aspect_ratio": "9:16",
        },
        state="FAILED",
        why="fails on purpose: its prompt asks the simulated fal for a render that breaks down, "
        "which costs nothing",
    ),
)
