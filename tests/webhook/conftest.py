"""What tests of the receiver and of the log share."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from webhook import log as logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The log of this process; logging is restored afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure(stream=out)
    yield out
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:], level = before
    root.setLevel(level)
