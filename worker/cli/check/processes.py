"""The probes of `falhook check` about beat, the clocks and the callback secret."""

import time
from collections.abc import Mapping
from typing import cast

import httpx

from webhook.contract import callback_url
from worker.cli.check.network import TIMEOUT
from worker.cli.check.warning import CheckWarning
from worker.cli.errors import CliError
from worker.jobs import deployment
from worker.jobs.store import connect
from worker.settings.settings import Settings

# Seconds without a sweep from which beat counts as dead.
MOST_SILENCE = 30.0
# Seconds by which clocks may differ: a lease lasts 20 s, and each worker reads its own clock.
CLOCKS_DIFFER, CLOCKS_WRONG = 2.0, 10.0
# The job in the address with which the receiver's secret is tried; no job has this id.
TRIAL = "falhook-check"


def beat(settings: Settings) -> str:
    """Check that a sweep ran a short while ago: beat sends one every 5 s."""
    with connect(settings.redis_url) as redis:
        swept = deployment.swept_at(redis)
    silence = None if swept is None else time.time() - swept
    if silence is not None and silence <= MOST_SILENCE:
        return f"the last sweep ran {max(0.0, silence):.0f} s ago"
    when = "no sweep has run yet" if silence is None else f"the last sweep ran {silence:.0f} s ago"
    raise CliError(
        f"{when}, but beat sends one every 5 s: start beat (see the Procfile), and a worker of the "
        "callbacks queue, which runs it; without it, jobs whose message or callback was lost wait "
        "for ever"
    )


def clock(settings: Settings) -> str:
    """Check the clock of this machine against that of Redis."""
    with connect(settings.redis_url) as redis:
        before = time.time()
        seconds, microseconds = cast(tuple[int, int], redis.time())
        ours = (before + time.time()) / 2
    return judged(ours - (seconds + microseconds / 1e6), "that of Redis")


def judged(ahead: float, other: str) -> str:
    """Return a sentence on a difference of clocks; raise it if it is too large."""
    direction = "ahead of" if ahead > 0 else "behind"
    sentence = f"this machine's clock is {abs(ahead):.1f} s {direction} {other}"
    if abs(ahead) > CLOCKS_WRONG:
        raise CliError(f"{sentence}; synchronise both machines by NTP: leases last only 20 s")
    if abs(ahead) > CLOCKS_DIFFER:
        raise CheckWarning(f"{sentence}; synchronise both machines by NTP")
    return sentence


def secret(settings: Settings) -> str:
    """Check that the receiver accepts the addresses of new jobs and of those in progress."""
    _old_addresses(settings)
    url = callback_url(settings.public_url, settings.secrets[0], TRIAL, 1)
    try:
        # Without fal's headers, so the receiver goes no further than the address.
        response = httpx.post(url, timeout=TIMEOUT)
    except httpx.HTTPError:
        raise CheckWarning(
            "not tried: the receiver does not answer, see the row receiver"
        ) from None
    outcome = _outcome(response)
    if outcome == "bad_headers":
        return "the receiver accepts the addresses that FALHOOK_SECRET signs"
    if outcome == "bad_address":
        raise CliError(
            f"the receiver at {settings.public_url} refuses the addresses that FALHOOK_SECRET "
            "signs here: its own FALHOOK_SECRET lacks this secret; set the same in the environment "
            "of every process and restart them"
        )
    raise CheckWarning(
        f"not tried: {settings.public_url}/webhooks/fal/… answered {response.status_code} "
        f"({outcome or 'not the receiver'})"
    )


def _old_addresses(settings: Settings) -> None:
    """Raise CliError if jobs in progress have addresses of a secret that is not accepted."""
    with connect(settings.redis_url) as redis:
        used = deployment.secrets_used(redis)
    accepted = set(map(deployment.fingerprint, settings.secrets))
    ends = [at + settings.callback_deadline for name, at in used.items() if name not in accepted]
    if ends and max(ends) > time.time():
        until = time.strftime("%H:%M", time.gmtime(max(ends)))
        raise CliError(
            "FALHOOK_SECRET lacks the secret that signed the callback addresses of jobs in "
            "progress, whose callbacks would be refused; write FALHOOK_SECRET=NEW,OLD for every "
            f"process and restart them; remove the old secret after {until} UTC"
        )


def _outcome(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return ""
    return str(body.get("outcome", "")) if isinstance(body, Mapping) else ""
