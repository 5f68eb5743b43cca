"""Structured logging: one line format, the list of events, redaction of secrets."""

from webhook.log.setup import (
    EVENTS,
    SECRET_FIELDS,
    configure,
    get_logger,
    redact,
    scrub,
)

__all__ = [
    "EVENTS",
    "SECRET_FIELDS",
    "configure",
    "get_logger",
    "redact",
    "scrub",
]
