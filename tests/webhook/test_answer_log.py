"""The lines about answered callbacks and their levels."""

import io
import json

from webhook.answer_log import MOST_REFUSALS, WINDOW, AnswerLog


def lines(out: io.StringIO) -> list[tuple[str, str, int]]:
    """Level, outcome and number of unlogged refusals of each line."""
    read = [json.loads(line) for line in out.getvalue().splitlines()]
    return [(line["level"], line["outcome"], line.get("unlogged", 0)) for line in read]


def test_refusals_are_warnings_up_to_a_rate(stream: io.StringIO) -> None:
    """A flood of one outcome costs few lines, hides no other one, and is counted afterwards."""
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
