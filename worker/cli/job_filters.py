"""Which jobs a command is about: by state, by reason, by age."""

import re
import time
from collections.abc import Iterator

import click

from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Since(click.ParamType[float]):
    """An age such as 30m, as the Unix time that long ago."""

    name = "AGE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Unix seconds; says what an age looks like where this is none."""
        shape = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value).strip().lower())
        if shape is None:
            self.fail(f"{value!r} is no age: write 90s, 30m, 12h or 7d", param, ctx)
        return time.time() - int(shape[1]) * _UNITS[shape[2]]


SINCE = Since()


def select(
    records: JobStore,
    *,
    state: str | None = None,
    reason: str | None = None,
    since: float | None = None,
) -> Iterator[Job]:
    """The jobs that fit, the newest first."""
    known = JobState(state) if state else None
    jobs = records.newest(state=known, since=since or 0.0)
    return (job for job in jobs if reason is None or job.reason == reason)
