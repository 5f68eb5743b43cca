"""The scripts of lanes, many calls in one round trip."""

from collections.abc import Sequence
from hashlib import sha1
from importlib import resources
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError

from webhook.redis.replicas import Argument
from webhook.redis.round_trip import ask

# The keys and the arguments of one call.
Call = tuple[Sequence[str], Sequence[Argument]]


class Script:
    """A script of this folder; safe to share between threads."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._text = resources.files("worker.notifications").joinpath(f"{name}.lua").read_text()
        # How Redis names a script, and no secret.
        self._sha = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, calls: Sequence[Call]) -> list[Any]:
        """Run the calls, each by itself and perhaps twice; return their answers in this order.

        Raises RedisError if one of them failed: the others may have run.
        """
        if not calls:
            return []
        answers = ask(self._redis, [_command("EVALSHA", self._sha, call) for call in calls])
        unknown = [at for at, each in enumerate(answers) if isinstance(each, NoScriptError)]
        if unknown:
            again = ask(self._redis, [_command("EVAL", self._text, calls[at]) for at in unknown])
            for at, answer in zip(unknown, again, strict=True):
                answers[at] = answer
        if error := next((each for each in answers if isinstance(each, Exception)), None):
            raise error
        return answers


def _command(verb: str, script: str, call: Call) -> Sequence[Argument]:
    keys, args = call
    return [verb, script, len(keys), *keys, *args]
