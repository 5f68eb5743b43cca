"""What a record stores of a trace, and what is ignored."""

import pytest

from worker.traces.context import begun, parse, stored

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_callers_trace_is_joined() -> None:
    """Its 55 characters are stored, whether traces are wanted here or not."""
    assert GIVEN == stored(GIVEN, "job1", begins=False) == stored(GIVEN, "job1", begins=True)


@pytest.mark.parametrize("text", ["", "00", GIVEN[:-1], f"ff{GIVEN[2:]}", GIVEN.upper(), 7, None])
def test_anything_else_is_ignored(text: object) -> None:
    """The standard asks for it; nothing of it is stored."""
    assert ("", None) == (stored(text, "job1", begins=False), parse(text))


@pytest.mark.parametrize("digits", [slice(3, 35), slice(36, 52)])
def test_ids_of_zeros_are_none(digits: slice) -> None:
    """They name no trace, or no span."""
    zeros = GIVEN.replace(GIVEN[digits], "0" * len(GIVEN[digits]))
    assert parse(zeros) is None


def test_a_job_begins_its_own() -> None:
    """The parent that it stores is the job's own span; two jobs have two traces."""
    text = stored(None, "job1", begins=True)
    context = parse(text)
    assert context is not None
    assert (55, True, context.span("job1")) == (len(text), context.sampled, context.parent)
    assert begun("job1").trace != context.trace


def test_a_caller_that_samples_nothing_is_heard() -> None:
    """Its flag is kept."""
    context = parse(f"{GIVEN[:-2]}00")
    assert context is not None
    assert not context.sampled
