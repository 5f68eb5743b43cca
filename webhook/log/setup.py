"""The log format of our lines and the libraries': an event name, then fields.

Standard error gets colours if it is a terminal, else one JSON object a line. `redact` removes
secrets. What libraries log at INFO, such as each message that Celery receives, is logged at DEBUG.
"""

import json
import logging
import sys
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from webhook.log.buffered_stream import BufferedStream
from webhook.log.captured_stream import CapturedStream
from webhook.log.redaction import describe, redact

Form = Literal["auto", "json", "console"]


class _Direct:
    """Where lines go that are rendered without the processors: JSON at INFO, or nowhere."""

    stream: TextIO | BufferedStream | None = None


def _shared_processors() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        describe,
        redact,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderer(form: Form, stream: TextIO | BufferedStream) -> Processor:
    if form == "console" or (form == "auto" and stream.isatty()):
        return structlog.dev.ConsoleRenderer()
    # One encoder for all lines: json.dumps with `default` creates one for each.
    encode = json.JSONEncoder(default=repr).encode
    return structlog.processors.JSONRenderer(serializer=lambda event, **_: encode(event))


def configure(
    *,
    level: str = "INFO",
    form: Form = "auto",
    stream: TextIO | BufferedStream | None = None,
) -> None:
    """Send every line of this process, ours or a library's, to `stream` in the one format.

    `stream` is standard error if not set.
    """
    out = stream or standard_error()
    renderer = _renderer(form, out)
    is_json = isinstance(renderer, structlog.processors.JSONRenderer)
    _Direct.stream = out if is_json and level in ("DEBUG", "INFO") else None
    structlog.configure(
        processors=[*_shared_processors(), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, out)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.addFilter(_Demotion(level))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_shared_processors()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    _quiet_libraries()


class _Demotion(logging.Filter):
    """A filter that turns the INFO lines of libraries into DEBUG lines, then applies the level."""

    def __init__(self, level: str) -> None:
        super().__init__()
        self._least = logging.getLevelNamesMapping()[level]

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno == logging.INFO:
            record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return record.levelno >= self._least


def _quiet_libraries() -> None:
    # httpx logs whole URLs at INFO, also callback addresses.
    for name in ("httpx", "httpcore", "fal_client"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "celery", "kombu"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"


def standard_error() -> TextIO:
    """Return the process's standard error, even while `capture_output` has replaced it."""
    stream: TextIO | CapturedStream = sys.stderr
    return stream.stream if isinstance(stream, CapturedStream) else stream


def write_finished(line: str) -> bool:
    """Write a finished JSON line at INFO, perhaps a little later; return False if none is wanted.

    It then has to go through a logger. For a line that is written hundreds of times a second: the
    processors of the logger cost more than everything else about it.
    """
    stream = _Direct.stream
    if isinstance(stream, BufferedStream):
        stream.write_later(line)
    elif stream is not None:
        stream.write(line)
    return stream is not None


def get_logger() -> FilteringBoundLogger:
    """Return a logger; its events must be listed in EVENTS."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
