"""`falhook check`: whether everything that a job needs is there, before one is paid for."""

import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import click
import httpx
from redis import Redis
from redis.exceptions import ResponseError
from rich.text import Text

from worker.cli.command import Problem, json_option, plainly, print_json
from worker.cli.screen import plain_console
from worker.delivery import credentials, found_ffmpeg
from worker.failures import Failure
from worker.ffmpeg import MEANING, FfmpegUnusable
from worker.messages import client
from worker.provenance import ProvenanceUnusable, try_signing
from worker.records import connect
from worker.settings import Settings
from worker.storage import Storage, require_usable

TIMEOUT = 10


@click.command()
@json_option
@plainly
def check(as_json: bool) -> None:
    """Try what workers and receiver need: Redis, broker, storage, ffmpeg, the receiver.

    Exit code 0 if all of it works, 1 if something does not.
    """
    settings = Settings.from_env()
    results = {name: _tried(probe, settings) for name, probe in PROBES.items()}
    if as_json:
        print_json({name: {"ok": ok, "detail": text} for name, (ok, text) in results.items()})
    else:
        console = plain_console()
        for name, (ok, text) in results.items():
            word = Text("ok    " if ok else "fails ", style="green" if ok else "red")
            console.print(Text.assemble(word, f" {name:<10} {text}"), soft_wrap=True)
    sys.exit(0 if all(ok for ok, _ in results.values()) else 1)


def _tried(probe: Callable[[Settings], str], settings: Settings) -> tuple[bool, str]:
    try:
        return True, probe(settings)
    except Failure as failure:
        return False, failure.sentence
    except Problem as problem:
        return False, problem.message
    except (FfmpegUnusable, ProvenanceUnusable) as error:
        return False, str(error)
    except Exception as error:  # noqa: BLE001  # each library raises its own; the text is the answer
        return False, f"{type(error).__name__}: {error}"


def _redis(settings: Settings) -> str:
    redis = connect(settings.redis_url)
    persistence = redis.info("persistence")
    if not persistence.get("aof_enabled"):
        raise Problem("appendonly is off: a restart of Redis would lose paid callbacks")
    return f"appendonly yes, appendfsync {_fsync(redis)}"


def _fsync(redis: Redis) -> str:
    try:
        return str(redis.config_get("appendfsync")["appendfsync"])
    except ResponseError:
        return "unknown: this Redis does not tell (it should be always)"


def _broker(settings: Settings) -> str:
    with client(settings).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=TIMEOUT)
        return str(connection.as_uri())


def _account(settings: Settings) -> str:
    # https://docs.fal.ai/documentation/model-apis/inference/webhooks names the header alone; a team
    # key may stand for another id than its owner's.
    return (
        f"callbacks of {', '.join(settings.user_ids)} are ours. Not sure? Run one job: the "
        "receiver logs callback.foreign_account with the account that fal names"
    )


def _storage(settings: Settings) -> str:
    storage = Storage.existing(settings.storage_url)
    require_usable(storage)
    return storage.address("")


def _ffmpeg(settings: Settings) -> str:
    found = found_ffmpeg(settings.ffmpeg, settings)
    return f"{found.path}; isolation: {found.isolation} ({MEANING[found.isolation]})"


def _provenance(settings: Settings) -> str:
    """Signs a picture, since most of what can be wrong shows only then."""
    found = credentials(settings)
    if found is None:
        return "files are not signed"
    shown = try_signing(found)
    told = f"files are signed as {found.leaf.subject}, until {found.leaf.ends:%Y-%m-%d}"
    if found.tsa:
        told += f"; time stamps by {urlsplit(found.tsa).hostname}"
        if "timeStamp.untrusted" in shown.remarks:
            told += ", which FALHOOK_C2PA_ANCHORS does not trust: they end with the certificate"
    return f"{told}; a picture signed for a trial is {shown.state}"


def _receiver(settings: Settings) -> str:
    response = httpx.get(f"{settings.public_url}/readyz", timeout=TIMEOUT)
    match response.json():
        case dict(parts):
            told = ", ".join(f"{name} {word}" for name, word in parts.items())
        case _:
            told = "no answer of ours"
    if not response.is_success:
        raise Problem(f"{settings.public_url}/readyz answered {response.status_code}: {told}")
    return f"{settings.public_url} is ready: {told}"


PROBES: dict[str, Callable[[Settings], str]] = {
    "redis": _redis,
    "broker": _broker,
    "storage": _storage,
    "ffmpeg": _ffmpeg,
    "provenance": _provenance,
    "receiver": _receiver,
    "account": _account,
}
