"""The settings of the pipeline, each declared once with its description."""

from worker.settings.settings import (
    CatalogueSettings,
    CreationSettings,
    CreationWithRedis,
    FalHosts,
    FalSettings,
    PriceSettings,
    Settings,
)

__all__ = [
    "CatalogueSettings",
    "CreationSettings",
    "CreationWithRedis",
    "FalHosts",
    "FalSettings",
    "PriceSettings",
    "Settings",
]
