"""Errors of other rooms as errors of the command line."""

from dataclasses import asdict

from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.log import scrub
from webhook.redis import refusal
from webhook.settings import SettingsError
from worker.catalogue.errors import RequestRejected, UnknownEndpoint
from worker.cli.errors import CliError
from worker.cli.redis_cures import CURES
from worker.errors import ConfigurationError, Failure
from worker.operations.request import InvalidJobId


def as_cli_error(error: Exception) -> CliError | None:
    """Return the error for the user; None if it is a defect, which keeps its traceback."""
    match error:
        case CliError():
            return error
        case RequestRejected() | InvalidJobId():
            problems = [asdict(problem) for problem in error.problems]
            sentence = f"{error}{_other_ways(error)}"
            return CliError(sentence, reason=error.reason, problems=problems)
        case SettingsError() | ConfigurationError():
            return CliError(str(error), reason=getattr(error, "reason", "bad_settings"))
        case Failure():
            return CliError(error.sentence, reason=error.reason)
        case RedisError():
            return redis_error(error)
        case _:
            return None


def _other_ways(error: Exception) -> str:
    """Return how to use an endpoint that the catalogue does not list; "" for other errors."""
    if not isinstance(error, UnknownEndpoint) or "/" not in error.endpoint:
        return ""
    return "; `falhook models add` adds any endpoint of fal, submit --unchecked uses it as it is"


def redis_error(error: RedisError, doubt: str = "") -> CliError:
    """Return the error of a call of Redis; `doubt` says what the call may have done anyway."""
    details = scrub(str(error)).rstrip(".")
    code = refusal(error)
    match error:
        case AuthenticationError():
            reason = "redis_refused"
            sentence = f"REDIS_URL has a wrong username or password: {details}. Correct it."
        case _ if code in CURES:
            reason = "redis_refused"
            sentence = f"Redis at REDIS_URL takes no writes ({code}): {details}; {CURES[code]}."
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
