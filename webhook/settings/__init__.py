"""Settings of the receiver, and how settings are read from the environment."""

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
