"""Errors of Redis as errors of the command line."""

from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.log import scrub
from webhook.redis.errors import refusal
from worker.cli.errors import CliError
from worker.cli.redis_cures import CURES


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
            doubt = doubt or "It hangs or is overloaded: try again, or look at it with redis-cli."
        case _:
            reason = "redis_refused"
            sentence = f"Redis at REDIS_URL refused the command: {details}."
    return CliError(f"{sentence} {doubt}".rstrip(), reason=reason)
