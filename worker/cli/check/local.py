"""The probes of `falhook check`; each returns a sentence, or raises one with the correction."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from webhook.celery_variables import present
from worker.cli.check import network, processes, redis
from worker.cli.check.disk import disk
from worker.cli.check.fal_key import fal
from worker.cli.check.warning import CheckWarning
from worker.cli.check.workers import workers
from worker.jobs.deployment import known_storage
from worker.jobs.store import connect
from worker.provenance import try_signing
from worker.redis_age import require_newest
from worker.settings.settings import Settings
from worker.settings.unknown import messages
from worker.startup import find_ffmpeg, load_signer
from worker.storage import Storage, require_usable
from worker.storage.scratch import require_temporary_directory
from worker.storage_claim import require_same
from worker.transcode.ffmpeg import MEANING


def _settings(_settings: Settings) -> str:
    ignored = [f"{name} is ignored: it would change falhook's broker" for name in present()]
    if warnings := [*messages(), *ignored]:
        raise CheckWarning(". ".join(warnings))
    return "no unknown FALHOOK_ names"


def _storage(settings: Settings) -> str:
    storage = Storage.existing(settings.storage_url)
    found = require_usable(storage)
    with connect(settings.redis_url) as redis:
        require_same(storage, found, known_storage(redis))
    return storage.address("")


def _records(settings: Settings) -> str:
    """Check that Redis is not a copy that was restored."""
    with connect(settings.redis_url) as redis:
        seen = require_newest(redis, Storage.existing(settings.storage_url))
    if seen is None:
        return "the storage has not seen this Redis yet; a sweep notes it every minute"
    ago = max(0.0, time.time() - seen.at)
    return f"Redis is as new as the storage saw it {ago:.0f} s ago"


def _ffmpeg(settings: Settings) -> str:
    require_temporary_directory()
    ffmpeg = find_ffmpeg(settings.ffmpeg, settings)
    return f"{ffmpeg.path}; isolation: {ffmpeg.isolation} ({MEANING[ffmpeg.isolation]})"


def _provenance(settings: Settings) -> str:
    """Sign a test picture, since most mistakes show only then."""
    signer = load_signer(settings)
    if signer is None:
        return "files are not signed"
    report = try_signing(signer)
    detail = f"files are signed as {signer.leaf.subject}, until {signer.leaf.ends:%Y-%m-%d}"
    if signer.tsa:
        detail += f"; time stamps by {urlsplit(signer.tsa).hostname}"
        if "timeStamp.untrusted" in report.remarks:
            detail += (
                ", which FALHOOK_C2PA_ANCHORS does not trust: signatures expire with the "
                "certificate"
            )
    return f"{detail}; a test signature is {report.state}"


def _account(settings: Settings) -> str:
    # https://docs.fal.ai/documentation/model-apis/inference/webhooks names the header alone; a team
    # key may send another id than its owner's.
    return (
        f"callbacks of {', '.join(settings.user_ids)} are accepted. To verify the ids, run one "
        "job: the receiver logs callback.foreign_account with any other account"
    )


PROBES: dict[str, Callable[[Settings], str]] = {
    "settings": _settings,
    "redis": redis.redis,
    "broker": network.broker,
    "workers": workers,
    "beat": processes.beat,
    "clock": processes.clock,
    "storage": _storage,
    "records": _records,
    "disk": disk,
    "ffmpeg": _ffmpeg,
    "provenance": _provenance,
    "receiver": network.receiver,
    "secret": processes.secret,
    "fal": fal,
    "account": _account,
}
