"""Errors of the command line: one sentence on standard error, or one line of JSON."""

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
from worker.cli.console import json_text
from worker.errors import ConfigurationError, Failure
from worker.operations.request import InvalidJobId
from worker.text import printable

P = ParamSpec("P")
T = TypeVar("T")


class CliError(click.ClickException):
    """An error of one clear sentence, with exit code 2.

    With `as_json` it is one line of JSON: {"error": {"reason", "sentence", "problems"}}. Each
    problem has path, value, message and hint; one in a file of jobs also has its line.
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
        """Print the error on standard error, which leaves standard output to results."""
        if not self.as_json:
            super().show(file)
            return
        error = {"reason": self.reason, "sentence": self.message, "problems": list(self.problems)}
        click.echo(json_text({"error": error}), err=True)


def handle_errors(command: Callable[P, T]) -> Callable[P, T]:
    """Return the command with its expected errors raised as CliError, in JSON if it prints JSON."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with _as_cli_errors():
                return command(*args, **kwargs)
        except CliError as error:
            error.as_json = bool(kwargs.get("as_json"))
            raise

    return run


@contextmanager
def _as_cli_errors() -> Iterator[None]:
    try:
        yield
    except (RequestRejected, InvalidJobId) as rejection:
        problems = [asdict(problem) for problem in rejection.problems]
        raise CliError(str(rejection), reason=rejection.reason, problems=problems) from None
    except SettingsError as error:
        raise CliError(str(error), reason="bad_settings") from None
    except ConfigurationError as error:
        raise CliError(str(error), reason=error.reason) from None
    except Failure as failure:
        raise CliError(failure.sentence, reason=failure.reason) from None
    except RedisError as error:
        raise redis_error(error) from None


def redis_error(error: RedisError, doubt: str = "") -> CliError:
    """Return the error of a call of Redis; `doubt` says what the call may have done anyway."""
    details = scrub(str(error)).rstrip(".")
    match error:
        case AuthenticationError():
            reason = "redis_refused"
            sentence = f"REDIS_URL has a wrong username or password: {details}. Correct it."
        case RedisConnectionError():
            reason = "redis_unreachable"
            sentence = f"REDIS_URL cannot be reached: {details}. Start Redis, or correct REDIS_URL."
        case RedisTimeoutError():
            reason = "redis_timeout"
            sentence = f"Redis at REDIS_URL did not answer in time: {details}."
        case _:
            reason = "redis_refused"
            sentence = f"Redis at REDIS_URL refused the command: {details}."
    return CliError(f"{sentence} {doubt}".rstrip(), reason=reason)
