"""The counters of events, and the wait for events."""

import asyncio

import pytest

from infra.local.fal.request_counts import Counts, Kind, redacted


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/hooks/job-1/secret", "https://a.example/hooks/job-1/-"),
        ("https://a.example/secret", "https://a.example/-"),
        ("https://me:secret@a.example:8/x/y", "https://a.example:8/x/-"),
        ("https://a.example", "https://a.example"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_its_secret(url: str, expected: str) -> None:
    """Neither the last path segment nor user information is shown."""
    assert expected == redacted(url)


def test_query_values_stay_different_but_hidden() -> None:
    """Different values have different, unreadable digests."""
    one, two = (redacted(f"https://a.example/h?job={value}") for value in ("one", "two"))
    assert one != two
    assert "one" not in one.removeprefix("https://a.example")


def test_a_waiter_wakes_when_the_event_is_counted() -> None:
    """A wait ends with its own event, not with another one."""

    async def run() -> None:
        counts = Counts()
        waiting = asyncio.create_task(
            counts.wait_until(lambda: counts.count(Kind.SUBMIT, "a") == 2)
        )
        await asyncio.sleep(0)
        for kind, request_id in ((Kind.SUBMIT, "a"), (Kind.CDN, "a"), (Kind.SUBMIT, "b")):
            counts.record(kind, request_id=request_id)
        await asyncio.sleep(0)
        assert not waiting.done()
        counts.record(Kind.SUBMIT, request_id="a")
        await asyncio.wait_for(waiting, 5)

    asyncio.run(run())
