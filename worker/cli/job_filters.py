"""Filters of `falhook list` and `falhook retry`: state, reason, age and tenant."""

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from worker.jobs.job import Job, JobState, UnreadableRecord
from worker.jobs.tenant import InvalidTenant, checked_tenant
from worker.text import printable

if TYPE_CHECKING:
    from worker.jobs.store import JobStore

F = TypeVar("F", bound=Callable[..., Any])

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


class _State(click.Choice[str]):
    """A state in any case; help and completion show it in capitals, as everything else does."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        """Return the state as it is shown and compared."""
        del ctx
        return str(choice).upper()


STATE = _State([state.value for state in JobState], case_sensitive=False)


class _Tenant(click.ParamType[str]):
    name = "TENANT"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        try:
            return checked_tenant(value)
        except InvalidTenant as invalid:
            self.fail(str(invalid), param, ctx)


def tenant_option(text: str, default: str | None = None) -> Callable[[F], F]:
    """Return the option --tenant with this help, whose value is a valid name or the default."""
    return click.option("--tenant", type=_Tenant(), default=default, help=text)


def print_unreadable(record: UnreadableRecord) -> None:
    """Print on standard error that the record of a job cannot be read."""
    click.echo(f"{printable(str(record))}.", err=True)


def select(
    store: "JobStore",
    *,
    state: str | None = None,
    reason: str | None = None,
    since: float | None = None,
    tenant: str | None = None,
    unreadable: Callable[[UnreadableRecord], None] = print_unreadable,
) -> Iterator[Job]:
    """Return matching jobs, newest first; `since` is the earliest creation in Unix seconds.

    `reason` is a reason code, or the beginning of one. `unreadable` gets the records that cannot
    be read, which are left out.
    """
    from worker.jobs.listing import newest

    of_state = JobState(state) if state else None
    jobs = newest(
        store.redis, state=of_state, since=since or 0.0, tenant=tenant, unreadable=unreadable
    )
    prefix = (reason or "").rstrip("*")
    return (job for job in jobs if reason is None or (job.reason and job.reason.startswith(prefix)))
