"""The log format of our lines and the libraries': an event name, then fields.

Standard error gets colours if it is a terminal, else one JSON object a line. `redact` removes
secrets.
"""

import json
import logging
import sys
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from webhook.log.buffered_stream import BufferedStream
from webhook.log.redaction import redact


def _shared_processors() -> list[Processor]:
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
    # One encoder for all lines: json.dumps with `default` creates one for each.
    encode = json.JSONEncoder(default=repr).encode
    return structlog.processors.JSONRenderer(serializer=lambda event, **_: encode(event))


def configure(
    *,
    level: str = "INFO",
    form: Literal["auto", "json", "console"] = "auto",
    stream: TextIO | BufferedStream | None = None,
) -> None:
    """Send every line of this process, ours or a library's, to `stream` in the one format.

    `stream` is standard error if not set.
    """
    out = stream or sys.stderr
    renderer = _renderer(form, out)
    structlog.configure(
        processors=[*_shared_processors(), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, out)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
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


def _quiet_libraries() -> None:
    # httpx logs whole URLs at INFO, also callback addresses.
    for name in ("httpx", "httpcore", "fal_client"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "celery", "kombu"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"


def get_logger() -> FilteringBoundLogger:
    """Return a logger; its events must be listed in EVENTS."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
