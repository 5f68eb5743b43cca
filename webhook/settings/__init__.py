"""The receiver's settings, and how settings are read from the environment."""

from webhook.settings.environment import Environment, SettingsError, separated, shown
from webhook.settings.settings import Addresses, Connections, ReceiverSettings

__all__ = [
    "Addresses",
    "Connections",
    "Environment",
    "ReceiverSettings",
    "SettingsError",
    "separated",
    "shown",
]
