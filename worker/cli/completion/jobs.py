"""Completion of job ids: the newest jobs that the command can use."""

from collections.abc import Callable, Iterator
from typing import Literal

import click
from click.shell_completion import CompletionItem

# Ids that are offered, and ids that are searched for a beginning.
MAX_OFFERED = 40
MAX_SEARCHED = 5_000
# Jobs whose states are read.
MAX_READ = 400
Usable = Literal["all", "open", "ended"]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_jobs(usable: Usable) -> Complete:
    """Return a completion with the ids of all jobs, or of those that are open or have ended."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from redis.exceptions import RedisError

        from webhook.settings.errors import SettingsError

        typed = ctx.params.get(param.name or "") or ()
        try:
            return [item for item in _items(usable, incomplete) if item.value not in typed]
        except (SettingsError, RedisError):
            # Tab has no place for an error; the command itself reports it.
            return []

    return complete


def _items(usable: Usable, incomplete: str) -> Iterator[CompletionItem]:
    from webhook.settings.settings import Connections
    from worker.jobs.job import FINAL, JobState
    from worker.jobs.listing import page, read
    from worker.jobs.store import connect

    redis = connect(Connections.from_env().redis_url)
    ids = [each for each in page(redis, limit=MAX_SEARCHED).ids if each.startswith(incomplete)]
    left = MAX_OFFERED
    # Tab has no place for records that cannot be read.
    for job in read(redis, ids[:MAX_READ], unreadable=lambda _record: None):
        if not left:
            return
        fits = {
            "all": True,
            "open": job.state not in FINAL,
            "ended": job.state in FINAL - {JobState.PUBLISHED},
        }
        if fits[usable]:
            left -= 1
            title = job.metadata.get("title")
            yield CompletionItem(
                job.id, help=f"{job.state} {title if isinstance(title, str) else job.endpoint}"
            )
