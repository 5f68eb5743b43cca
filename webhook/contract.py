"""The contract of the receiver and the pipeline: addresses, inbox, queue and task names.

Redis keys of the inbox (all others belong to the pipeline, see worker/jobs/job.py):

falhook:inbox          sorted set: job id → Unix time from which the sweep may wake `ingest` again
falhook:inbox:{job}    hash: fingerprint → Callback.encode(), the verified callbacks of that job
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from celery import Celery
from kombu import Exchange
from kombu import Queue as Declaration

JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
TOKEN = re.compile(r"([1-9][0-9]{0,8})\.[A-Za-z0-9_-]{43}")
INBOX = "falhook:inbox"
# The sweep leaves a fresh callback to the receiver's own wake for this long, in seconds.
INGEST_GRACE = 10.0


class Queue(StrEnum):
    """Celery queues, one for each kind of work."""

    SUBMIT = "submit"
    CALLBACKS = "callbacks"
    MEDIA = "media"
    PUBLISH = "publish"


class Task(StrEnum):
    """Celery task names; they stay stable, since other codebases send them."""

    CREATE = "falhook.create"
    SUBMIT = "falhook.submit"
    INGEST = "falhook.ingest"
    DOWNLOAD = "falhook.download"
    TRANSCODE_TAG = "falhook.transcode_tag"
    PUBLISH = "falhook.publish"
    SWEEP = "falhook.sweep"


ROUTES: dict[Task, Queue] = {
    Task.CREATE: Queue.SUBMIT,
    Task.SUBMIT: Queue.SUBMIT,
    Task.INGEST: Queue.CALLBACKS,
    Task.SWEEP: Queue.CALLBACKS,
    Task.DOWNLOAD: Queue.PUBLISH,
    Task.TRANSCODE_TAG: Queue.MEDIA,
    Task.PUBLISH: Queue.PUBLISH,
}


def mint_token(secret: str, job_id: str, attempt: int) -> str:
    """The path token of one attempt: its number and the HMAC-SHA-256 that only we can make."""
    message = f"falhook callback\n{job_id}\n{attempt}".encode()
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)
    return f"{attempt}.{urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def callback_url(public_url: str, secret: str, job_id: str, attempt: int) -> str:
    """The address that fal calls when this attempt has ended."""
    return f"{public_url}/webhooks/fal/{job_id}/{mint_token(secret, job_id, attempt)}"


def attempt_of(secrets: Iterable[str], job_id: str, token: str) -> int | None:
    """The attempt that `token` was minted for, or None for an address that never was.

    Compares in constant time, with every accepted secret.
    """
    shape = TOKEN.fullmatch(token)
    if shape is None or JOB_ID.fullmatch(job_id) is None:
        return None
    attempt = int(shape[1])
    minted = [mint_token(secret, job_id, attempt) for secret in secrets]
    matches = [hmac.compare_digest(candidate, token) for candidate in minted]
    return attempt if any(matches) else None


def inbox_key(job_id: str) -> str:
    """The hash that holds the callbacks of this job."""
    return f"{INBOX}:{job_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One verified callback as the inbox holds it: the raw body and what was proven about it."""

    attempt: int
    request_id: str
    received_at: float
    body: bytes

    @property
    def fingerprint(self) -> str:
        """The same for every delivery of the same content, so that fal's repeats collapse."""
        head = f"{self.attempt}\n{self.request_id}\n".encode()
        return hashlib.sha256(head + self.body).hexdigest()[:32]

    def encode(self) -> bytes:
        """One line, `attempt received_at request_id`, then the body to the byte."""
        return f"{self.attempt} {self.received_at!r} {self.request_id}\n".encode() + self.body

    @classmethod
    def decode(cls, entry: bytes) -> Self:
        """What `encode` wrote."""
        head, _, body = entry.partition(b"\n")
        attempt, received_at, request_id = head.decode().split(" ", 2)
        return cls(
            attempt=int(attempt), request_id=request_id, received_at=float(received_at), body=body
        )


def celery_app(broker_url: str, *, transport_options: dict[str, object]) -> Celery:
    """A Celery application with falhook's queues and routes, for any process of ours.

    Tasks are acknowledged late and their results ignored: the record in Redis is the truth,
    a message only wakes.
    """
    app = Celery("falhook", broker=broker_url)
    redis_options = transport_options if broker_url.startswith("redis") else {}
    app.conf.update(
        task_queues=[Declaration(queue, Exchange(queue), routing_key=queue) for queue in Queue],
        task_default_queue=Queue.SUBMIT,
        task_routes={task: {"queue": queue} for task, queue in ROUTES.items()},
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        broker_transport_options=redis_options,
        broker_connection_retry_on_startup=True,
    )
    return app
