"""Completion of job ids: the newest jobs that the command can use."""

from collections.abc import Callable, Iterator
from typing import Literal

import click
from click.shell_completion import CompletionItem

# Ids that are offered, and ids that are searched for a beginning.
MAX_OFFERED = 40
MAX_SEARCHED = 5_000
Usable = Literal["all", "open", "ended"]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_jobs(usable: Usable) -> Complete:
    """Return a completion with the ids of all jobs, or of those that are open or have ended."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from redis.exceptions import RedisError

        from webhook.settings import SettingsError

        typed = ctx.params.get(param.name or "") or ()
        try:
            return [item for item in _items(usable, incomplete) if item.value not in typed]
        except (SettingsError, RedisError):
            # Tab has no place for an error; the command itself reports it.
            return []

    return complete


def _items(usable: Usable, incomplete: str) -> Iterator[CompletionItem]:
    from webhook.settings import Connections
    from worker.jobs.job import FINAL, JobState
    from worker.jobs.store import JobStore, connect

    store = JobStore(connect(Connections.from_env().redis_url))
    left = MAX_OFFERED
    for job_id in store.newest_ids(limit=MAX_SEARCHED):
        if not job_id.startswith(incomplete):
            continue
        job = store.get(job_id) if left else None
        if job is None:
            continue
        fits = {
            "all": True,
            "open": job.state not in FINAL,
            "ended": job.state in FINAL - {JobState.PUBLISHED},
        }
        if fits[usable]:
            left -= 1
            title = job.metadata.get("title")
            yield CompletionItem(
                job_id, help=f"{job.state} {title if isinstance(title, str) else job.endpoint}"
            )
