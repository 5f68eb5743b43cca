"""The line about an answered request is the logger's."""

import io
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response

from api import request_log
from api.operation import Call, Operation
from api.request_log import log_answer
from webhook.log import configure, get_logger
from worker.api_keys.api_key import ApiKey
from worker.api_keys.scopes import Scope

KEY = ApiKey(id="AbCd0123", name="test", tenant="shop", scopes=frozenset(Scope), created_at=1.0)


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Restore logging after each test: others of this process look for lines at INFO."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """The log as JSON, at INFO, of a logger that has written nothing before."""
    out = io.StringIO()
    configure(form="json", stream=out)
    monkeypatch.setattr(request_log, "log", get_logger())
    return out


def answer(key: ApiKey | None = KEY, method: str = "POST", status: int = 201) -> None:
    """Log the answer to a request."""
    call = Call(request=Request({"type": "http"}), request_id="a1.b-2_C", key=key)
    operation = Operation(
        method=method,
        path="/v1/jobs",
        name="createJob",
        summary="",
        handler=lambda _call: Response(),
        scope=None,
        answers={},
    )
    log_answer(call, operation, Response(status_code=status), 0.01234)


@pytest.mark.parametrize("key", [KEY, None])
def test_the_line_is_the_loggers(stream: io.StringIO, key: ApiKey | None) -> None:
    """It is formatted without the logger, and differs from its line in nothing but the time."""
    answer(key)
    get_logger().info(
        "api.answered",
        request="a1.b-2_C",
        operation="createJob",
        status=201,
        ms=12.3,
        key=key.id if key else None,
        tenant=key.tenant if key else None,
    )
    ours, theirs = (re.sub("T[0-9:.]+Z", "", line) for line in stream.getvalue().splitlines())
    assert theirs == ours


@dataclass(frozen=True)
class Levels:
    """A level of the log, and those of the lines about a creation, a GET and a failure."""

    least: str
    written: list[str]


@pytest.mark.parametrize(
    "levels",
    [
        Levels("DEBUG", ["info", "debug", "warning"]),
        Levels("INFO", ["info", "warning"]),
        Levels("WARNING", ["warning"]),
    ],
)
def test_levels(monkeypatch: pytest.MonkeyPatch, levels: Levels) -> None:
    """A failure is a warning, a GET is for debugging, and FALHOOK_LOG_LEVEL holds."""
    out = io.StringIO()
    configure(level=levels.least, form="json", stream=out)
    monkeypatch.setattr(request_log, "log", get_logger())
    answer()
    answer(method="GET", status=200)
    answer(method="GET", status=503)
    assert levels.written == re.findall('"level": "([a-z]+)"', out.getvalue())
