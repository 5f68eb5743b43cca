"""What every command shares: how it connects, how it fails, how it prints JSON."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps
from typing import ParamSpec, TypeVar

import click
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from webhook import log as logs
from webhook.log import scrub
from webhook.settings import Connections, SettingsError
from worker.failures import Failure
from worker.ffmpeg import FfmpegUnusable
from worker.jobs import Job
from worker.models import Refusal
from worker.order import JobRefused
from worker.records import Records, connect

P = ParamSpec("P")
T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


class Problem(click.ClickException):
    """One clear sentence and exit code 2; nothing was half done."""

    exit_code = 2


def plainly(command: Callable[P, T]) -> Callable[P, T]:
    """The command, its expected faults told in a sentence instead of a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with _told():
            return command(*args, **kwargs)

    return run


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (SettingsError, Refusal, JobRefused, FfmpegUnusable) as error:
        raise Problem(str(error)) from None
    except Failure as failure:
        raise Problem(failure.sentence) from None
    except RedisConnectionError as error:
        raise Problem(
            f"Redis cannot be reached at REDIS_URL: {scrub(str(error))}. "
            "Start it, or correct REDIS_URL."
        ) from None
    except RedisError as error:
        raise Problem(f"Redis at REDIS_URL refused: {scrub(str(error))}.") from None


def connections() -> Connections:
    """The connections that the environment names; raises SettingsError without them."""
    settings = Connections.from_env()
    logs.configure(level="WARNING", form=settings.log_format)
    return settings


def records() -> Records:
    """The job records, surely reachable."""
    found = Records(connect(connections().redis_url))
    found.redis.ping()
    return found


def job_of(found: Records, job_id: str) -> Job:
    """The job, or a Problem that names what was asked for."""
    job = found.get(job_id)
    if job is None:
        raise Problem(f"There is no job {job_id}. `falhook list` shows the newest ones.")
    return job


def print_json(value: object) -> None:
    """One JSON document on a line of standard output."""
    click.echo(json.dumps(value, ensure_ascii=False))


def as_data(job: Job) -> Mapping[str, object]:
    """A job as JSON shows it."""
    hidden = {"lease_owner", "lease_until", "callback"}
    return {name: value for name, value in asdict(job).items() if name not in hidden}
