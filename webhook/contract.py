"""The contract between receiver and workers: addresses, inbox, queue and task names.

Redis keys of the inbox, of the shard of the job (worker/jobs/store.py lists those of the pipeline):

falhook:{2a}:inbox     sorted set: job id → Unix time from which the sweep may wake `ingest` again
falhook:{2a}:inbox:ID  hash: fingerprint → Callback.encode(), the verified callbacks of that job
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from webhook.shards import key_of

if TYPE_CHECKING:
    from celery import Celery

JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
TOKEN = re.compile(r"([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})")
# Name of a key of a shard.
INBOX = "inbox"
# Seconds for which the sweep leaves a new callback to the wake that the receiver sent.
INGEST_GRACE = 10.0


class Queue(StrEnum):
    """The Celery queues, one for each kind of work; other Celery applications have other names."""

    SUBMIT = "falhook.submit"
    CALLBACKS = "falhook.callbacks"
    MEDIA = "falhook.media"
    PUBLISH = "falhook.publish"
    NOTIFY = "falhook.notify"


# The names until version 0.1, which senders of falhook.create may still use; the workers move our
# messages from these queues (worker/broker/earlier_queues.py) and leave those of others.
EARLIER: dict[Queue, str] = {queue: queue.removeprefix("falhook.") for queue in Queue}


class Task(StrEnum):
    """The Celery task names; other codebases send them, so they never change."""

    CREATE = "falhook.create"
    SUBMIT = "falhook.submit"
    INGEST = "falhook.ingest"
    DOWNLOAD = "falhook.download"
    TRANSCODE_TAG = "falhook.transcode_tag"
    PUBLISH = "falhook.publish"
    SWEEP = "falhook.sweep"
    RETAIN = "falhook.retain"
    NOTIFY = "falhook.notify"


ROUTES: dict[Task, Queue] = {
    Task.CREATE: Queue.SUBMIT,
    Task.SUBMIT: Queue.SUBMIT,
    Task.INGEST: Queue.CALLBACKS,
    Task.SWEEP: Queue.CALLBACKS,
    Task.RETAIN: Queue.PUBLISH,
    Task.DOWNLOAD: Queue.PUBLISH,
    Task.TRANSCODE_TAG: Queue.MEDIA,
    Task.PUBLISH: Queue.PUBLISH,
    Task.NOTIFY: Queue.NOTIFY,
}

# Names at the broker beside those of the queues: of Celery's events, and of its remote control.
EVENTS, CONTROL = "falhook.events", "falhook.control"

# kombu's keys of messages that are not acknowledged yet; by default all applications share them.
_REDIS_KEYS: dict[str, object] = {
    "unacked_key": "falhook:unacked",
    "unacked_index_key": "falhook:unacked:index",
    "unacked_mutex_key": "falhook:unacked:mutex",
}


def mint_token(secret: str, job_id: str, attempt: int) -> str:
    """Return the path token of one attempt: its number and an HMAC-SHA-256 with our secret."""
    return f"{attempt}.{_mac(secret, _signed_message(job_id, str(attempt))).decode()}"


def _signed_message(job_id: str, attempt: str) -> bytes:
    return f"falhook callback\n{job_id}\n{attempt}".encode()


def _mac(secret: str, message: bytes) -> bytes:
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=")


def callback_url(public_url: str, secret: str, job_id: str, attempt: int) -> str:
    """Return the address that fal calls when this attempt has ended."""
    return f"{public_url}/webhooks/fal/{job_id}/{mint_token(secret, job_id, attempt)}"


def attempt_of(secrets: Iterable[str], job_id: str, token: str) -> int | None:
    """Return the attempt that `token` was minted for, or None if we did not mint it.

    Compares in constant time with the token of every accepted secret.
    """
    match = TOKEN.fullmatch(token)
    if match is None or JOB_ID.fullmatch(job_id) is None:
        return None
    message, mac = _signed_message(job_id, match[1]), match[2].encode()
    equal = [hmac.compare_digest(_mac(secret, message), mac) for secret in secrets]
    return int(match[1]) if True in equal else None


def inbox_key(job_id: str) -> str:
    """Return the key of the hash of this job's callbacks."""
    return key_of(job_id, f"{INBOX}:{job_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One verified callback: its raw body and verified claims; `received_at` is Unix time."""

    attempt: int
    request_id: str
    received_at: float
    body: bytes

    @property
    def fingerprint(self) -> str:
        """An id that all deliveries of the same content share, so that fal's repeats collapse."""
        head = f"{self.attempt}\n{self.request_id}\n".encode()
        return hashlib.sha256(head + self.body).hexdigest()[:32]

    def encode(self) -> bytes:
        """Return one line, `attempt received_at request_id`, then the unchanged body."""
        return f"{self.attempt} {self.received_at!r} {self.request_id}\n".encode() + self.body

    @classmethod
    def decode(cls, entry: bytes) -> Self:
        """Return the callback that `encode` wrote."""
        head, _, body = entry.partition(b"\n")
        attempt, received_at, request_id = head.decode().split(" ", 2)
        return cls(
            attempt=int(attempt), request_id=request_id, received_at=float(received_at), body=body
        )


def celery_app(
    broker_url: str,
    *,
    redis: Mapping[str, object],
    rabbitmq: Mapping[str, object] = MappingProxyType({}),
    scheme: str | None = None,
) -> "Celery":
    """Return a Celery application with falhook's queues and routes, for any process of ours.

    `redis` and `rabbitmq` are the transport options of each broker; `scheme` is the registered name
    of the Redis transport, by default that of senders. Results are ignored: the record in Redis is
    the truth, a message only wakes a worker.
    """
    # Commands that only read names from here would wait for Celery's imports.
    from celery import Celery  # noqa: PLC0415

    from webhook.broker import broker_settings  # noqa: PLC0415
    from webhook.celery_variables import ignore_celery_variables  # noqa: PLC0415
    from webhook.queues import declared_queue  # noqa: PLC0415

    ignore_celery_variables()
    app = Celery("falhook")
    options = {**_REDIS_KEYS, **redis}
    # `celery worker -Q submit` of earlier versions is an alias.
    declared = {queue: declared_queue(broker_url, queue, alias=EARLIER[queue]) for queue in Queue}
    app.conf.update(
        task_queues=list(declared.values()),
        task_default_queue=Queue.SUBMIT,
        task_routes={task: {"queue": queue} for task, queue in ROUTES.items()},
        task_ignore_result=True,
        # By default all applications at a broker share these exchanges: their workers would hear
        # ours, answer them and take their commands, and ours theirs.
        event_exchange=EVENTS,
        event_queue_prefix=EVENTS,
        control_exchange=CONTROL,
        task_serializer="json",
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        **broker_settings(broker_url, redis=options, rabbitmq=rabbitmq, scheme=scheme),
    )
    for queue, declaration in declared.items():
        if declaration.name != queue:
            app.amqp.queues.aliases[queue] = declaration  # type: ignore[attr-defined]
    return app
