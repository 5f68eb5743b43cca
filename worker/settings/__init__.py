"""Settings of the pipeline, declared once, each with its description."""

from worker.settings.settings import (
    FAL_KEEPS,
    REST_HOST,
    CatalogueSettings,
    CreationSettings,
    CreationWithRedis,
    FalHosts,
    FalSettings,
    Settings,
)

__all__ = [
    "FAL_KEEPS",
    "FalHosts",
    "FalSettings",
    "CatalogueSettings",
    "CreationSettings",
    "CreationWithRedis",
    "REST_HOST",
    "Settings",
]
