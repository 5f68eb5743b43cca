"""Removal of secrets from log lines and error messages."""

import re

from structlog.typing import EventDict, WrappedLogger

SECRET_FIELDS = frozenset(
    {"token", "signature", "secret", "authorization", "fal_key", "prompt", "arguments", "payload"}
)
_SECRET_TEXT = (
    # The last segment of a callback address is the proof that the callback may settle the job.
    (
        re.compile(r"(webhooks(?:/|%2F)fal(?:/|%2F)[^/%\s]+(?:/|%2F))[^\s\"'&]+", re.IGNORECASE),
        r"\1[token]",
    ),
    (re.compile(r"\b(Key\s+)[^\s\"':]+:[^\s\"']+"), r"\1[key]"),
    (re.compile(r"(\w+://[^/\s:@]*:)[^/\s@]+@"), r"\1[password]@"),
)
# Keys of our own API (worker/api_keys/token.py), mistyped ones too.
_API_KEY = re.compile(r"fhk_[0-9A-Za-z]+")


# Enough for the words of a server or of the operating system.
MOST_WORDS = 300


def describe(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace each exception among the fields by its type and its own words; a processor."""
    for name, value in event.items():
        if isinstance(value, BaseException):
            event[name] = words_of(value)
    return event


def words_of(error: BaseException) -> str:
    """Return the type of an error and its own words in one line, at most MOST_WORDS characters."""
    kind, words = type(error).__name__, " ".join(str(error).split())
    return f"{kind}: {words}"[:MOST_WORDS] if words else kind


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace secret fields, callback tokens, keys and passwords in URLs; a processor."""
    for name, value in event.items():
        if name in SECRET_FIELDS:
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = scrub(value)
    return event


def scrub(text: str) -> str:
    """Return `text` without callback tokens, keys of fal and of our API, and passwords in URLs."""
    if "fhk_" in text:
        text = _API_KEY.sub("[key]", text)
    # Every other pattern needs one of these characters; most values are a word or an id.
    if "/" not in text and ":" not in text and "%" not in text:
        return text
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text
