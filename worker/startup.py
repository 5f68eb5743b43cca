"""What is checked and cleaned up before a process starts, and how it ends if it cannot start."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError

from webhook.log import get_logger, refuse
from webhook.public_host import is_loopback
from webhook.settings.errors import SettingsError
from worker.errors import ConfigurationError, Failure
from worker.jobs.deployment import SIMULATED
from worker.jobs.store import connect
from worker.probe import ProbeInterrupted
from worker.provenance import Signer
from worker.settings.media import MediaSettings
from worker.storage import Storage, scratch
from worker.storage_claim import claim_storage
from worker.transcode.ffmpeg import Ffmpeg, Isolation

if TYPE_CHECKING:
    pass

T = TypeVar("T")
_REAL_FAL = ("fal.run", "falrun.com")

log = get_logger()


class UnreachableReceiver(ConfigurationError):
    """The real fal would be paid for jobs whose callbacks it cannot deliver."""


class SimulatedJobsFound(ConfigurationError):
    """The process would send the simulated jobs of this Redis to the real fal."""


def exit_on_error(build: Callable[[], T]) -> T:
    """Return what `build` returns; if it cannot start, log why and exit with code 2.

    The exit code is 1 if a probe was interrupted: the process may start the next time.
    """
    try:
        return build()
    except ProbeInterrupted as interrupted:
        refuse([f"a check at the start gave no result: {interrupted}"])
        raise SystemExit(1) from None
    except (ConfigurationError, SettingsError, ValueError) as error:
        refuse(str(error).splitlines())
    except Failure as failure:
        refuse([failure.sentence])
    raise SystemExit(2)


def prepare_worker(
    *,
    redis_url: str,
    public_url: str,
    queue_host: str,
    storage: Storage,
) -> None:
    """Remove what killed workers left behind, and check what every step relies on.

    Raises NoTemporaryDirectory, UnreachableReceiver, Permanent("storage_unwritable"), OtherStorage
    or SimulatedJobsFound.
    """
    scratch.sweep()
    refuse_loopback(public_url, queue_host)
    with connect(redis_url) as redis:
        refuse_simulated_jobs(redis, queue_host)
        claim_storage(redis, storage)


def refuse_loopback(public_url: str, queue_host: str) -> None:
    """Return unless only this machine reaches the receiver of jobs for the real fal.

    Raises UnreachableReceiver.
    """
    if _is_real(queue_host) and is_loopback(urlsplit(public_url).hostname or ""):
        raise UnreachableReceiver(
            f"FALHOOK_PUBLIC_URL={public_url} is an address of this machine, which fal cannot"
            " reach: every job would be paid and wait for its callback in vain. Set the https"
            " origin at which fal reaches the receiver, or FAL_QUEUE_RUN_HOST of a simulated fal."
        )


def refuse_simulated_jobs(redis: Redis, queue_host: str) -> None:
    """Return unless the real fal would be paid for simulated jobs; then raise SimulatedJobsFound.

    If Redis does not answer, the check is skipped with a warning: the worker waits for it anyway.
    """
    if not _is_real(queue_host):
        return
    try:
        since = cast(str | None, redis.get(SIMULATED))
    except RedisError as error:
        log.warning("redis.unreachable", error=error)
        return
    if since is not None:
        raise SimulatedJobsFound(
            f"REDIS_URL points to a Redis that `make demo` or `make local` has used ({SIMULATED},"
            f" {since}): the real fal would be paid for its simulated jobs. Use another database"
            " in REDIS_URL; or, if you need nothing in this one, empty it with FLUSHDB."
        )


def _is_real(queue_host: str) -> bool:
    return queue_host.partition(":")[0].endswith(_REAL_FAL)


def load_signer(settings: MediaSettings) -> Signer | None:
    """Return what signs files with content credentials; None if no certificate is configured.

    Raises ProvenanceUnusable.
    """
    if settings.c2pa_cert is None:
        return None
    return Signer.load(
        settings.c2pa_cert,
        key=settings.c2pa_key,
        command=settings.c2pa_command,
        tsa=settings.c2pa_tsa,
        anchors=settings.c2pa_anchors,
    )


def find_ffmpeg(configured: str, settings: MediaSettings) -> Ffmpeg:
    """Return the configured ffmpeg, isolated as the settings say. Raises FfmpegUnusable."""
    isolation = None if settings.isolation == "auto" else Isolation(settings.isolation)
    return Ffmpeg.find(configured or None, isolation)
