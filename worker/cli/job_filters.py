"""Filters of `falhook list` and `falhook retry`: state, reason and age."""

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from worker.jobs.job import Job, JobState

if TYPE_CHECKING:
    from worker.jobs.store import JobStore

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Since(click.ParamType[float]):
    """A duration such as 30m, as the Unix time that long ago."""

    name = "AGE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return Unix seconds; fail with an example for text that is not a duration."""
        match = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value).strip().lower())
        if match is None:
            self.fail(f"{value!r} is not a duration: write 90s, 30m, 12h or 7d", param, ctx)
        return time.time() - int(match[1]) * _UNITS[match[2]]


SINCE = Since()


def select(
    store: "JobStore",
    *,
    state: str | None = None,
    reason: str | None = None,
    since: float | None = None,
) -> Iterator[Job]:
    """Return matching jobs, newest first; `since` is the earliest creation in Unix seconds.

    `reason` is a reason code, or the beginning of one.
    """
    from worker.jobs.listing import newest

    jobs = newest(store.redis, state=JobState(state) if state else None, since=since or 0.0)
    prefix = (reason or "").rstrip("*")
    return (job for job in jobs if reason is None or (job.reason and job.reason.startswith(prefix)))
