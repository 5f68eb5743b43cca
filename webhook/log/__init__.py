"""Structured logging: one line format, the list of events, redaction of secrets."""

from webhook.log.events import EVENTS
from webhook.log.process import capture_output, get_signal_logger, refuse
from webhook.log.redaction import SECRET_FIELDS, redact, scrub, words_of
from webhook.log.setup import configure, get_logger, standard_error, write_finished

__all__ = [
    "EVENTS",
    "SECRET_FIELDS",
    "capture_output",
    "configure",
    "get_logger",
    "get_signal_logger",
    "redact",
    "refuse",
    "scrub",
    "standard_error",
    "words_of",
    "write_finished",
]
