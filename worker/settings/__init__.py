"""Settings of the pipeline, declared once, each with its description."""

from worker.settings.settings import (
    FAL_KEEPS,
    REST_HOST,
    FalHosts,
    FalKey,
    Lookup,
    Making,
    MakingJobs,
    Settings,
)

__all__ = [
    "FAL_KEEPS",
    "FalHosts",
    "FalKey",
    "Lookup",
    "Making",
    "MakingJobs",
    "REST_HOST",
    "Settings",
]
