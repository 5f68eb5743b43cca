"""Errors of other rooms as errors of the command line."""

import sys
from dataclasses import asdict

from webhook.settings.errors import SettingsError
from worker.catalogue.errors import RequestRejected, UnknownEndpoint
from worker.cli.errors import CliError
from worker.errors import ConfigurationError, Failure


def as_cli_error(error: Exception) -> CliError | None:
    """Return the error for the user; None if it is a defect, which keeps its traceback."""
    match error:
        case CliError():
            return error
        case RequestRejected():
            return _rejected(error, error.reason)
        case SettingsError() | ConfigurationError():
            return CliError(str(error), reason=getattr(error, "reason", "bad_settings"))
        case Failure():
            return CliError(error.sentence, reason=error.reason)
        case _:
            return _of_a_loaded_module(error)


def _of_a_loaded_module(error: Exception) -> CliError | None:
    """Return the error of a module that takes long to import: only if it is, it may raise."""
    if "worker.operations.request" in sys.modules:
        from worker.operations.request import InvalidJobId

        if isinstance(error, InvalidJobId):
            return _rejected(error, error.reason)
    if "worker.jobs.job" in sys.modules:
        from worker.jobs.job import UnreadableRecord

        if isinstance(error, UnreadableRecord):
            return CliError(f"{error}.", reason="unreadable_record")
    if "redis" in sys.modules:
        from redis.exceptions import RedisError

        from worker.cli.redis_errors import redis_error

        if isinstance(error, RedisError):
            return redis_error(error)
    return None


def _rejected(error: Exception, reason: str) -> CliError:
    problems = [asdict(problem) for problem in getattr(error, "problems", ())]
    return CliError(f"{error}{_other_ways(error)}", reason=reason, problems=problems)


def _other_ways(error: Exception) -> str:
    """Return how to use an endpoint that the catalogue does not list; "" for other errors."""
    if not isinstance(error, UnknownEndpoint) or "/" not in error.endpoint:
        return ""
    return "; `falhook models add` adds any endpoint of fal, submit --unchecked uses it as it is"
