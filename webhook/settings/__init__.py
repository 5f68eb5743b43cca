"""The receiver's settings, and how settings are read from the environment."""

from webhook.settings.settings import (
    Addresses,
    Connections,
    Environment,
    ReceiverSettings,
    SettingsError,
    separated,
    shown,
)

__all__ = [
    "Addresses",
    "Connections",
    "Environment",
    "ReceiverSettings",
    "SettingsError",
    "separated",
    "shown",
]
