"""The pause of submission after fal refused the account: a circuit breaker in Redis.

Redis keys (SCOPE: {the hash of the FAL_KEY in use}, with `:ENDPOINT` if only that one is refused):

falhook:paused:SCOPE          hash: until (Unix seconds), refusals, sentence
falhook:paused:SCOPE:probe    string: the job that tries whether fal takes jobs again

worker/jobs/paused_accounts.py lists those that were refused, for figures.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from webhook.log import get_logger
from worker.errors import Transient
from worker.fal.account_faults import AccountFault
from worker.fal.single_post import SubmitRejected
from worker.jobs.job import Job
from worker.jobs.paused_accounts import KEPT, note_refused, scopes

# Seconds until a job may try again: doubled by each refusal, from the first to the longest.
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 1800.0
# Seconds for which a probe keeps others from trying; longer than a POST takes.
PROBE_TIME = 120
REASON = "account_paused"

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPause:
    """Stops submission for an account that fal refuses, and lets one job at a time try again.

    `key` is the FAL_KEY: another one is another account, and is not paused.
    """

    redis: Redis
    key: str
    clock: Callable[[], float]

    def check(self, job: Job) -> bool:
        """Return if the job may be posted, and whether it is a probe.

        After each pause one job may be posted: the probe. Raises Transient(REASON) for others.
        """
        probe = False
        scopes = self._scopes(job)
        if not self.redis.exists(*scopes):
            return probe
        for scope in scopes:
            paused = cast(dict[str, str], self.redis.hgetall(scope))
            if not paused:
                continue
            left = float(paused.get("until", "0")) - self.clock()
            if left <= 0 and self.redis.set(f"{scope}:probe", job.id, nx=True, ex=PROBE_TIME):
                log.info("account.probed", job=job.id, refusals=int(paused["refusals"]))
                probe = True
                continue
            raise _paused(paused.get("sentence", "fal refused the account"), max(left, FIRST_PAUSE))
        return probe

    def refused(self, job: Job, refusal: SubmitRejected) -> Transient:
        """Pause the account, or the endpoint alone; return the failure of the job that found it."""
        endpoint_only = refusal.fault is AccountFault.ENDPOINT
        scope = self._scopes(job)[1 if endpoint_only else 0]
        seconds = FIRST_PAUSE
        # fal refused the job, so it has none: it waits also if Redis cannot keep the pause now.
        with suppress(RedisError):
            seconds = self._extend(scope, refusal.sentence)
        endpoint = job.endpoint if endpoint_only else ""
        log.error(
            "account.paused", job=job.id, reason=refusal.reason, endpoint=endpoint, wait=seconds
        )
        return _paused(refusal.sentence, seconds)

    def _extend(self, scope: str, sentence: str) -> float:
        """Begin the pause, or the next one, which is longer; return its seconds."""
        note_refused(self.redis, scope, now=self.clock())
        refusals = self.redis.hincrby(scope, "refusals", 1)
        seconds: float = min(FIRST_PAUSE * 2.0 ** (min(refusals, 20) - 1), LONGEST_PAUSE)
        pipe = self.redis.pipeline(transaction=True)
        pipe.hset(scope, "until", f"{self.clock() + seconds:.3f}")
        pipe.hset(scope, "sentence", sentence)
        pipe.expire(scope, KEPT)
        pipe.delete(f"{scope}:probe")
        pipe.execute()
        return seconds

    def passed(self, job: Job) -> None:
        """End the pauses of this job: fal took it, or refused it for its own sake."""
        for scope in self._scopes(job):
            if self.redis.delete(scope):
                self.redis.delete(f"{scope}:probe")
                log.info("account.resumed", job=job.id)

    def _scopes(self, job: Job) -> tuple[str, str]:
        account = hashlib.sha256(self.key.encode()).hexdigest()[:16]
        # One hash tag: a transaction changes a scope and its probe.
        return scopes(account, job)


def _paused(why: str, seconds: float) -> Transient:
    sentence = (
        f"{why.rstrip('.')}. Submission is paused, and one job tries again in {seconds:.0f} s; the "
        "job waits. Correct FAL_KEY or the balance of the account"
    )
    return Transient(REASON, sentence, after=seconds)
