"""The optional packages that signing needs, and the error if it is not possible."""

import importlib
from typing import Any

from worker.errors import ConfigurationError


class ProvenanceUnusable(ConfigurationError):
    """Files cannot be signed with these settings."""


def sdk() -> Any:  # the package is optional, and has no types
    """Import the c2pa package. Raises ProvenanceUnusable if it is not installed."""
    try:
        return importlib.import_module("c2pa")
    except ImportError as error:
        raise ProvenanceUnusable(
            "FALHOOK_C2PA_CERT requires c2pa-python: pip install 'falhook[provenance]'"
        ) from error


def cryptography(name: str) -> Any:
    """Import a module of cryptography, which the optional c2pa-python depends on."""
    return importlib.import_module(f"cryptography.{name}")
