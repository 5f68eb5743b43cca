"""What `falhook check` tries: each part's answer, or a sentence with setting, value and cure."""

from collections.abc import Callable
from urllib.parse import urlsplit

from worker.cli.check import network
from worker.provenance import try_signing
from worker.settings import Settings
from worker.settings.unknown import messages
from worker.startup import find_ffmpeg, load_signer
from worker.storage import Storage, require_usable
from worker.transcode.ffmpeg import MEANING


def _storage(settings: Settings) -> str:
    storage = Storage.existing(settings.storage_url)
    require_usable(storage)
    return storage.address("")


def _ffmpeg(settings: Settings) -> str:
    found = find_ffmpeg(settings.ffmpeg, settings)
    return f"{found.path}; isolation: {found.isolation} ({MEANING[found.isolation]})"


def _provenance(settings: Settings) -> str:
    """Signs a picture, since most of what can be wrong shows only then."""
    found = load_signer(settings)
    if found is None:
        return "files are not signed"
    shown = try_signing(found)
    told = f"files are signed as {found.leaf.subject}, until {found.leaf.ends:%Y-%m-%d}"
    if found.tsa:
        told += f"; time stamps by {urlsplit(found.tsa).hostname}"
        if "timeStamp.untrusted" in shown.remarks:
            told += ", which FALHOOK_C2PA_ANCHORS does not trust: they end with the certificate"
    return f"{told}; a picture signed for a trial is {shown.state}"


def _account(settings: Settings) -> str:
    # https://docs.fal.ai/documentation/model-apis/inference/webhooks names the header alone; a team
    # key may stand for another id than its owner's.
    return (
        f"callbacks of {', '.join(settings.user_ids)} are ours. Not sure? Run one job: the "
        "receiver logs callback.foreign_account with the account that fal names"
    )


def _settings(_settings: Settings) -> str:
    if told := messages():
        raise network.CheckWarning(". ".join(told))
    return "none that is unknown"


PROBES: dict[str, Callable[[Settings], str]] = {
    "settings": _settings,
    "redis": network.redis,
    "broker": network.broker,
    "workers": network.workers,
    "storage": _storage,
    "ffmpeg": _ffmpeg,
    "provenance": _provenance,
    "receiver": network.receiver,
    "account": _account,
}
