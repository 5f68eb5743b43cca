"""One log shape for our lines and the libraries': an event name, then fields.

People at a terminal get colours, everything else one JSON object a line, on standard error.
No line holds a secret: see `redact`.
"""

import json
import logging
import re
import sys
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from webhook.log.buffered_stream import BufferedStream

EVENTS: dict[str, str] = {
    "callback.received": "A callback arrived and was answered; `outcome` is the one word for how.",
    "callback.foreign_account": "A callback to an address of ours names another `account`.",
    "callback.orphaned": "A verified callback belongs to no job record; it is kept aside.",
    "callback.duplicate": "fal delivered a callback that the job already has.",
    "callback.conflict": "A callback contradicts what the job already has; it changed nothing.",
    "callback.lost": "No callback came by the deadline; the result was looked up once.",
    "callback.kept": "A callback came after the job had ended without one; its result is kept.",
    "look_up.failed": "fal could not be asked for a result; it is asked again later.",
    "inbox.unavailable": "The inbox could not be written; the callbacks were answered 503.",
    "redis.unreachable": "The receiver began without Redis: callbacks get 503 until it is there.",
    "keys.refreshed": "fal's public keys were fetched.",
    "keys.refresh_failed": "fal's public keys could not be fetched; known ones stay in use.",
    "sources.refresh_failed": "fal's addresses could not be fetched; known ones stay in use.",
    "setting.unknown": "A variable looks like a setting and is none; `nearest` may be meant.",
    "receiver.started": "The receiver accepts callbacks.",
    "receiver.stopped": "The receiver has answered what it accepted and ended.",
    "wake.failed": "A Celery message could not be sent; the sweep will wake the job.",
    "job.created": "A job record was made.",
    "job.refused": "A falhook.create message could not become a job.",
    "create.waits": "A falhook.create message cannot become a job now; it is tried again later.",
    "create.crashed": "A falhook.create message broke a check; it is a FAILED job.",
    "job.accepted": "fal took a job; the line has its request id, whatever becomes of the record.",
    "outcome.waits": "A step is done, but Redis is away: its outcome is written once it is back.",
    "job.moved": "A job went from one state to another.",
    "extra.lost": "An extra file could not be made of a clip, which is published without it.",
    "input.uploaded": "A local input went up to fal; later jobs with it share the address.",
    "step.started": "A worker took up a step of a job.",
    "step.retried": "A step did not succeed and will be tried again.",
    "step.crashed": "A step ended in an exception that falhook did not expect.",
    "step.skipped": "A wake found its work done or in other hands.",
    "lease.lost": "A running step's lease could not be renewed; another worker may repeat it.",
    "sweep.done": "The sweep woke jobs and callbacks that were due.",
    "message.unacknowledged": "Redis could not be told that a message is done; it comes again.",
    "message.unnoted": "Redis is full: a message that was taken is in its worker's memory alone.",
    "messages.unrestored": "Redis is full: messages of dead workers are brought back later.",
    "channel.closed": "A connection to the broker was found dead while it was being closed.",
    "scratch.removed": "The temporary directory of a worker that was killed was removed.",
    "work.kept": "Intermediate files of a published job could not be deleted.",
}

SECRET_FIELDS = frozenset(
    {"token", "signature", "secret", "authorization", "fal_key", "prompt", "arguments", "payload"}
)
_SECRET_TEXT = (
    # The last segment of a callback address proves that fal may settle the job.
    (
        re.compile(r"(webhooks(?:/|%2F)fal(?:/|%2F)[^/%\s]+(?:/|%2F))[^\s\"'&]+", re.IGNORECASE),
        r"\1[token]",
    ),
    (re.compile(r"\b(Key\s+)[^\s\"':]+:[^\s\"']+"), r"\1[key]"),
    (re.compile(r"(\w+://[^/\s:@]*:)[^/\s@]+@"), r"\1[password]@"),
)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take secret fields, callback tokens, fal keys and passwords in URLs out of a line."""
    for name, value in event.items():
        if name in SECRET_FIELDS:
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = scrub(value)
    return event


def scrub(text: str) -> str:
    """`text` without callback tokens, fal keys and passwords in URLs."""
    # Every pattern needs one of these; most values are a word or an id.
    if "/" not in text and ":" not in text and "%" not in text:
        return text
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _shared() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        redact,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderer(
    form: Literal["auto", "json", "console"], stream: TextIO | BufferedStream
) -> Processor:
    if form == "console" or (form == "auto" and stream.isatty()):
        return structlog.dev.ConsoleRenderer()
    # An encoder made once: json.dumps with `default` would make one for every line.
    encode = json.JSONEncoder(default=repr).encode
    return structlog.processors.JSONRenderer(serializer=lambda event, **_: encode(event))


def configure(
    *,
    level: str = "INFO",
    form: Literal["auto", "json", "console"] = "auto",
    stream: TextIO | BufferedStream | None = None,
) -> None:
    """Afterwards every line of this process, ours or a library's, has the one shape."""
    out = stream or sys.stderr
    renderer = _renderer(form, out)
    structlog.configure(
        processors=[*_shared(), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, out)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_shared()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    _calm_libraries()


def _calm_libraries() -> None:
    # httpx logs whole URLs, the callback address among them, at INFO.
    for name in ("httpx", "httpcore", "fal_client"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "celery", "kombu"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"


def get_logger() -> FilteringBoundLogger:
    """A logger whose events must stand in EVENTS."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
