"""What a process writes besides its log: refusals to start, crashes, output of libraries.

All of it becomes lines of the one format, so that each line of a process is an event.
"""

import os
import sys
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import TextIO, cast, get_args

import structlog
from structlog.typing import FilteringBoundLogger

from webhook.log.captured_stream import CapturedStream
from webhook.log.setup import Form, configure, get_logger

log = get_logger()


def refuse(problems: Iterable[str]) -> None:
    """Log why the process does not start, one line for each problem."""
    for problem in problems:
        log.error("process.refused", sentence=problem)


def configure_early(environ: Mapping[str, str] = os.environ) -> None:
    """Configure the log before the settings are read; an invalid format counts as not set."""
    form = environ.get("FALHOOK_LOG_FORMAT", "").strip()
    configure(form=cast(Form, form) if form in get_args(Form) else "auto")


def capture_output() -> None:
    """Turn what this process prints and what ends it into log lines, until it ends.

    Call it in the main module of a process, once.
    """
    configure_early()
    sys.stdout = cast(TextIO, CapturedStream(sys.stdout, partial(_print, "stdout")))
    sys.stderr = cast(TextIO, CapturedStream(sys.stderr, partial(_print, "stderr")))
    sys.excepthook = _crashed
    threading.excepthook = lambda args: _crashed(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )


def get_signal_logger() -> FilteringBoundLogger:
    """Return a logger for signal handlers: it takes no lock that the interrupted code may hold."""
    logger: FilteringBoundLogger = structlog.wrap_logger(_Descriptor())
    return logger


def _print(stream: str, line: str) -> None:
    log.warning("process.output", stream=stream, line=line)


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):  # Ctrl-C is a stop like any other
        return
    log.critical("process.crashed", error=error, exc_info=(kind, error, trace))


class _Descriptor:
    """A logger that writes each line to standard error with one system call."""

    def msg(self, message: str) -> None:
        os.write(2, f"{message}\n".encode(errors="replace"))

    debug = info = warning = error = critical = msg
