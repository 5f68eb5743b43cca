"""The lines about answered callbacks and their levels."""

import io
import json
import re

import pytest

from webhook.answer_log import MOST_REFUSALS, WINDOW, AnswerLog
from webhook.log import configure, get_logger


def lines(out: io.StringIO) -> list[tuple[str, str, int]]:
    """Level, outcome and number of unlogged refusals of each line."""
    read = [json.loads(line) for line in out.getvalue().splitlines()]
    return [(line["level"], line["outcome"], line.get("unlogged", 0)) for line in read]


def test_refusals_are_warnings_up_to_a_rate(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of one outcome costs few lines, hides no other one, and is counted afterwards."""
    # A logger keeps the configuration of its first line, which another test may have written.
    monkeypatch.setattr("webhook.answer_log.log", get_logger())
    now = [0.0]
    answers = AnswerLog(clock=lambda: now[0])
    for _ in range(10 * MOST_REFUSALS):
        answers.write("bad_address", None)
    answers.write("bad_signature", "job-1")
    now[0] += WINDOW
    answers.write("bad_address", None)
    answers.write("accepted", "job-1")
    first = [("warning", "bad_address", 0)] * MOST_REFUSALS
    rest = [("warning", "bad_address", 9 * MOST_REFUSALS), ("info", "accepted", 0)]
    assert [*first, ("warning", "bad_signature", 0), *rest] == lines(stream)


def test_the_line_of_an_accepted_callback_is_the_loggers(stream: io.StringIO) -> None:
    """It is formatted without the logger, and differs from its line in nothing but the time."""
    AnswerLog().write("accepted", "job-1")
    get_logger().info("callback.received", outcome="accepted", job="job-1")
    ours, theirs = (re.sub("[0-9]", "0", line) for line in stream.getvalue().splitlines())
    assert theirs == ours


def test_a_level_above_info_has_no_line_of_an_accepted_callback(stream: io.StringIO) -> None:
    """FALHOOK_LOG_LEVEL holds for this line too."""
    configure(level="WARNING", stream=stream)
    AnswerLog().write("accepted", "job-1")
    assert "" == stream.getvalue()
