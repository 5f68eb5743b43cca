"""What every command shares: how it connects, how it fails, how it prints JSON."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps
from typing import IO, Any, ParamSpec, TypeVar

import click
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.log import scrub
from webhook.settings import SettingsError
from worker.catalogue.errors import RequestRejected
from worker.cli.console import _json
from worker.errors import Failure
from worker.operations.request import InvalidJobId
from worker.text import printable
from worker.transcode.ffmpeg import FfmpegUnusable

P = ParamSpec("P")
T = TypeVar("T")


class CliError(click.ClickException):
    """One clear sentence and exit code 2; nothing was half done.

    With `as_json` it is told as one line of JSON: {"error": {"reason", "sentence", "problems"}},
    where each problem has path, value, message and hint, in a file of jobs its line too.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        reason: str = "bad_usage",
        problems: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(printable(message, lines=True))
        self.reason, self.problems = reason, problems
        self.as_json = False

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it on standard error, which leaves standard output to results."""
        if not self.as_json:
            super().show(file)
            return
        told = {"reason": self.reason, "sentence": self.message, "problems": list(self.problems)}
        click.echo(_json({"error": told}), err=True)


def handle_errors(command: Callable[P, T]) -> Callable[P, T]:
    """The command, its expected faults told in a sentence instead of a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with _told():
                return command(*args, **kwargs)
        except CliError as problem:
            problem.as_json = bool(kwargs.get("as_json"))
            raise

    return run


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (RequestRejected, InvalidJobId) as refused:
        problems = [asdict(problem) for problem in refused.problems]
        raise CliError(str(refused), reason=refused.reason, problems=problems) from None
    except SettingsError as error:
        raise CliError(str(error), reason="bad_settings") from None
    except FfmpegUnusable as error:
        raise CliError(str(error), reason="ffmpeg_unusable") from None
    except Failure as failure:
        raise CliError(failure.sentence, reason=failure.reason) from None
    except RedisError as error:
        raise redis_problem(error) from None


def redis_problem(error: RedisError, doubt: str = "") -> CliError:
    """What became of a call of Redis; `doubt` says what it may have done all the same."""
    said = scrub(str(error)).rstrip(".")
    match error:
        case AuthenticationError():
            reason = "redis_refused"
            told = f"Redis refuses name or password of REDIS_URL: {said}. Correct REDIS_URL."
        case RedisConnectionError():
            reason = "redis_unreachable"
            told = f"Redis cannot be reached at REDIS_URL: {said}. Start it, or correct REDIS_URL."
        case RedisTimeoutError():
            reason, told = "redis_timeout", f"Redis at REDIS_URL did not answer in time: {said}."
        case _:
            reason, told = "redis_refused", f"Redis at REDIS_URL refused: {said}."
    return CliError(f"{told} {doubt}".rstrip(), reason=reason)
