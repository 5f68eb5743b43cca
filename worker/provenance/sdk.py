"""How this package says that files cannot be signed, and where its optional parts are found."""

import importlib
from typing import Any


class ProvenanceUnusable(Exception):
    """Files cannot be signed here as the settings ask; the message has the cure."""


def sdk() -> Any:  # the package is optional, and has no types
    """The c2pa package. Raises ProvenanceUnusable without it."""
    try:
        return importlib.import_module("c2pa")
    except ImportError as error:
        raise ProvenanceUnusable(
            "FALHOOK_C2PA_CERT needs the package c2pa-python: pip install 'falhook[provenance]'"
        ) from error


def cryptography(name: str) -> Any:
    """A module of cryptography, which comes with the optional c2pa-python."""
    return importlib.import_module(f"cryptography.{name}")
