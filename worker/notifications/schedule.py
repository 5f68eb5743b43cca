"""When an attempt is repeated, and when an endpoint is given up."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
# Seconds before each attempt, counted from the one before.
WAITS: Sequence[float] = (
    0.0,
    5.0,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)
# The part of a wait that chance adds or takes away, so that receivers are not met all at once.
JITTER = 0.2
MOST_RETRY_AFTER = DAY
# An endpoint that has failed for so long is disabled.
GIVEN_UP_AFTER = 5 * DAY
# Failures in a row after which a lane gets one attempt every PROBE seconds.
BREAKER, PROBE = 5, 30.0
# Seconds for which a delivery's history is kept.
DELIVERED_KEPT, DEAD_KEPT = 7 * DAY, 30 * DAY


def wait_after(attempts: int, rng: random.Random) -> float | None:
    """Return the seconds until the next attempt, after so many; None if there is none."""
    if attempts >= len(WAITS):
        return None
    return WAITS[attempts] * rng.uniform(1 - JITTER, 1 + JITTER)


def retry_after(header: str, *, now: float) -> float | None:
    """Return the seconds that a header Retry-After asks for, a day at most; None for none.

    https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), MOST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), MOST_RETRY_AFTER)


def iso(seconds: float) -> str:
    """Return Unix seconds as messages have them."""
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
