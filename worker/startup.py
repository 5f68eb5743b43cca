"""What a process says when it cannot start: one sentence a fault, exit code 2."""

import sys
from collections.abc import Callable
from typing import TypeVar, cast

from redis import Redis
from redis.exceptions import RedisError

from webhook.log import get_logger
from webhook.settings import SettingsError
from worker.errors import Failure
from worker.provenance import ProvenanceUnusable, Signer
from worker.settings.media import MediaSettings
from worker.transcode.ffmpeg import Ffmpeg, FfmpegUnusable, Isolation

T = TypeVar("T")
# `make demo` and `make local` set it: infra/local/redis/external.py.
MARKER = "falhook:simulated"
_REAL = ("fal.run", "falrun.com")
log = get_logger()


def exit_on_error(build: Callable[[], T]) -> T:
    """What `build` makes; on a fault of the settings its sentences are printed and it exits."""
    try:
        return build()
    except (SettingsError, FfmpegUnusable, ProvenanceUnusable, ValueError) as error:
        sys.stderr.write(f"{error}\n")
    except Failure as failure:
        sys.stderr.write(f"{failure.sentence}\n")
    raise SystemExit(2)


class SimulatedJobsFound(Exception):
    """This Redis holds simulated jobs, and fal is the real one; the message names the cure."""


def refuse_simulated_jobs(redis: Redis, queue_host: str) -> None:
    """Return where no simulated job can come to the real fal.

    A Redis that does not answer is waited for, as ever. Raises Simulated.
    """
    if not queue_host.partition(":")[0].endswith(_REAL):
        return
    try:
        since = cast(str | None, redis.get(MARKER))
    except RedisError as error:
        log.warning("redis.unreachable", error=type(error).__name__)
        return
    if since is not None:
        raise SimulatedJobsFound(
            f"REDIS_URL names a Redis that `make demo` or `make local` has used ({MARKER},"
            f" {since}): real fal would be paid for its simulated jobs. Name another database in"
            " REDIS_URL; or, if nothing in this one is needed, empty it with FLUSHDB."
        )


def credentials(settings: MediaSettings) -> Signer | None:
    """What the settings say files are signed with; None where no certificate is configured."""
    if settings.c2pa_cert is None:
        return None
    return Signer.load(
        settings.c2pa_cert,
        key=settings.c2pa_key,
        command=settings.c2pa_command,
        tsa=settings.c2pa_tsa,
        anchors=settings.c2pa_anchors,
    )


def found_ffmpeg(configured: str, settings: MediaSettings) -> Ffmpeg:
    """The configured ffmpeg, isolated as the settings say. Raises FfmpegUnusable."""
    isolation = None if settings.isolation == "auto" else Isolation(settings.isolation)
    return Ffmpeg.find(configured or None, isolation)
