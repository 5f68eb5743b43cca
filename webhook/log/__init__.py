"""Structured logging: one line format, the list of events, redaction of secrets."""

from webhook.log.events import EVENTS
from webhook.log.process import capture_output, get_signal_logger, refuse
from webhook.log.redaction import SECRET_FIELDS, redact, scrub, words_of
from webhook.log.setup import configure, direct_stream, get_logger, standard_error

__all__ = [
    "EVENTS",
    "SECRET_FIELDS",
    "capture_output",
    "configure",
    "direct_stream",
    "get_logger",
    "get_signal_logger",
    "redact",
    "refuse",
    "scrub",
    "standard_error",
    "words_of",
]
