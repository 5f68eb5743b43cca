"""The log format, the list of events, and the redaction of secrets."""

import ast
import asyncio
import io
import json
import logging
import os
import select
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import ROOT
from webhook import log as logs
from webhook.contract import callback_url
from webhook.log.buffered_stream import DELAY, BufferedStream
from worker.api_keys.token import Token

METHODS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = {"log", "signal_log", "get_logger"}


def logged() -> set[str]:
    """Return every event name in the sources of webhook, worker and api."""
    names = set()
    folders = [ROOT / name for name in ("webhook", "worker", "api")]
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        attr=method,
                        value=ast.Name(id=name) | ast.Call(func=ast.Name(id=name)),
                    ),
                    args=args,
                ) if method in METHODS and name in LOGGERS:
                    assert args, f"{path}:{node.lineno} logs no event"
                    event = args[0]
                    assert isinstance(event, ast.Constant), f"{path}:{node.lineno} is not literal"
                    names.add(str(event.value))
    return names


def test_every_logged_event_is_listed() -> None:
    """EVENTS has exactly the events that the sources log, each with a sentence."""
    assert set(logs.EVENTS) == logged()
    assert [] == [name for name, sentence in logs.EVENTS.items() if not sentence.endswith(".")]


def test_our_lines_are_json_outside_a_terminal(stream: io.StringIO) -> None:
    """A line of ours is one JSON object with event, level, time and fields."""
    logs.get_logger().info("job.moved", job="j1", state="TAGGED")
    line = json.loads(stream.getvalue())
    assert {"event": "job.moved", "level": "info", "job": "j1", "state": "TAGGED"} == {
        name: value for name, value in line.items() if name != "timestamp"
    }


def test_library_lines_have_the_same_format(stream: io.StringIO) -> None:
    """A line of the standard library's logging is the same JSON."""
    logging.getLogger("celery.worker").warning("lost %s", "connection")
    line = json.loads(stream.getvalue())
    assert ("lost connection", "warning", "celery.worker") == (
        line["event"],
        line["level"],
        line["logger"],
    )


def test_warnings_have_the_same_format(stream: io.StringIO) -> None:
    """A Python warning is the same JSON."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logs.configure(stream=stream)
        warnings.warn("you run as root", UserWarning, stacklevel=1)
    line = json.loads(stream.getvalue())
    assert ("warning", True) == (line["level"], "you run as root" in line["event"])


@pytest.mark.parametrize("name", sorted(logs.SECRET_FIELDS))
def test_secret_fields_are_redacted(stream: io.StringIO, name: str) -> None:
    """The value of a field in SECRET_FIELDS is never written."""
    logs.get_logger().info("job.moved", **{name: "hunter2"})
    assert "[redacted]" == json.loads(stream.getvalue())[name]


@given(secret=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=16))
def test_callback_tokens_are_scrubbed(secret: str) -> None:
    """The token of a callback address is removed, plain or percent-encoded."""
    url = callback_url("https://hooks.example.com", secret, "job1", 1)
    token = url.rpartition("/")[2]
    encoded = url.replace(":", "%3A").replace("/", "%2F")
    for text in (url, f"POST https://queue.fal.run/x?fal_webhook={encoded} 200"):
        assert token not in logs.scrub(text)


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "key {}, twice: {}", '{{"key": "{}"}}'])
def test_our_api_keys_are_scrubbed(form: str) -> None:
    """The token of an API key is removed from any text, a mistyped one too."""
    token = Token.make().text
    for text in (token, token[:-1], f"{token}x"):
        assert text[4:] not in logs.scrub(form.format(text, text))


def test_exceptions_are_scrubbed(stream: io.StringIO) -> None:
    """Keys, tokens and passwords are removed from a traceback."""
    text = "Key abc:hunter2secret at redis://:hunter2@host/0 and /webhooks/fal/j/1.hunter2token"
    try:
        raise ValueError(text)
    except ValueError:
        logs.get_logger().exception("step.crashed")
    assert "hunter2" not in stream.getvalue()


def test_httpx_does_not_log_addresses(stream: io.StringIO) -> None:
    """httpx's line for each request, which has the whole URL, is not written."""
    logging.getLogger("httpx").info("HTTP Request: POST https://queue.fal.run/?fal_webhook=x")
    assert "" == stream.getvalue()


def test_lines_of_several_processes_do_not_mix() -> None:
    """The lines of one turn are written in pieces that a pipe takes whole, each of whole lines."""
    reader, writer = os.pipe2(os.O_DIRECT)  # one read for each write
    lines = [f"{number}{'x' * 300}\n" for number in range(40)]

    async def write() -> None:
        with os.fdopen(writer, "w") as pipe:
            stream = BufferedStream(pipe)
            for line in lines:
                stream.write(line)
            await asyncio.sleep(0)

    asyncio.run(write())
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        pieces = list(iter(lambda: pipe.read(65536), b""))
    assert "".join(lines).encode() == b"".join(pieces)
    assert all(piece.endswith(b"\n") and len(piece) <= select.PIPE_BUF for piece in pieces)


def test_frequent_lines_wait_for_others_but_are_not_overtaken() -> None:
    """They are written after DELAY, or before an ordinary line; at once where no loop runs."""
    out = io.StringIO()
    stream = BufferedStream(out)

    async def write() -> list[str]:
        loop = asyncio.get_running_loop()
        seen = []
        for ordinary in ("", "ordinary\n"):
            stream.write_later("frequent\n")
            if ordinary:
                stream.write(ordinary)
            await asyncio.sleep(0)
            seen.append(out.getvalue())
        stream.write_later("last\n")
        written = loop.create_future()
        loop.call_later(DELAY, written.set_result, None)  # after that of the stream
        await written
        seen.append(out.getvalue())
        return seen

    lines = "frequent\nfrequent\nordinary\n"
    assert ["", lines, f"{lines}last\n"] == asyncio.run(write())
    stream.write_later("no loop\n")
    assert out.getvalue().endswith("no loop\n")
