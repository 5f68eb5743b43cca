"""The settings of the pipeline, each declared once with its description."""

from worker.settings.settings import (
    CatalogueSettings,
    CreationSettings,
    CreationWithRedis,
    FalHosts,
    FalSettings,
    Settings,
)

__all__ = [
    "CatalogueSettings",
    "CreationSettings",
    "CreationWithRedis",
    "FalHosts",
    "FalSettings",
    "Settings",
]
