"""Structured logging: one line format, the list of events, redaction of secrets."""

from webhook.log.events import EVENTS
from webhook.log.redaction import SECRET_FIELDS, redact, scrub
from webhook.log.setup import configure, get_logger

__all__ = [
    "EVENTS",
    "SECRET_FIELDS",
    "configure",
    "get_logger",
    "redact",
    "scrub",
]
