"""The job: its fields, its states and the allowed transitions."""

import hashlib
import json
import secrets
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from webhook.contract import Task
from webhook.shards import key_of
from worker.jobs.tenant import DEFAULT, InvalidTenant
from worker.types import Json


class JobState(StrEnum):
    """The state of a job; every change is one compare-and-set on its record."""

    QUEUED = "QUEUED"
    SUBMITTING = "SUBMITTING"
    SUBMITTED = "SUBMITTED"
    SUBMIT_UNKNOWN = "SUBMIT_UNKNOWN"
    RENDERED = "RENDERED"
    DOWNLOADED = "DOWNLOADED"
    TAGGED = "TAGGED"
    PUBLISHED = "PUBLISHED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


S = JobState

MOVES: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        # A callback of an attempt that fal seemed not to take settles the job before a second POST.
        S.QUEUED: frozenset({S.SUBMITTING, S.SUBMITTED, S.RENDERED, S.FAILED, S.CANCELLED}),
        S.SUBMITTING: frozenset({S.QUEUED, S.SUBMITTED, S.SUBMIT_UNKNOWN, S.RENDERED, S.FAILED}),
        S.SUBMITTED: frozenset({S.RENDERED, S.FAILED, S.EXPIRED, S.CANCELLED}),
        # QUEUED only by the worker of the POST, slow but alive, that learned that fal has no job.
        S.SUBMIT_UNKNOWN: frozenset(
            {S.QUEUED, S.SUBMITTED, S.RENDERED, S.FAILED, S.EXPIRED, S.CANCELLED}
        ),
        S.RENDERED: frozenset({S.DOWNLOADED, S.FAILED}),
        S.DOWNLOADED: frozenset({S.TAGGED, S.FAILED}),
        S.TAGGED: frozenset({S.PUBLISHED, S.FAILED}),
        # A callback after the deadline still brings a paid result (SUBMITTED: its result has yet
        # to be fetched). QUEUED only by a person's retry.
        S.EXPIRED: frozenset({S.SUBMITTED, S.RENDERED, S.FAILED, S.QUEUED}),
        S.PUBLISHED: frozenset(),
        # Out of these two only by a person's retry, to the first step whose input is stored.
        S.FAILED: frozenset({S.QUEUED, S.SUBMITTED, S.RENDERED, S.DOWNLOADED, S.TAGGED}),
        S.CANCELLED: frozenset({S.QUEUED, S.RENDERED}),
    }
)

FINAL = frozenset({S.PUBLISHED, S.FAILED, S.EXPIRED, S.CANCELLED})
# fal has the job, or may have it: only a callback or the deadline moves it on.
AWAITING = frozenset({S.SUBMITTING, S.SUBMITTED, S.SUBMIT_UNKNOWN})


def new_job_id() -> str:
    """Return a new id: 16 lower-case letters and digits, 80 random bits."""
    return b32encode(secrets.token_bytes(10)).decode().lower()


def hashed_id(text: str) -> str:
    """Return the id that follows from the text, in the form of a new one."""
    digest = hashlib.sha256(text.encode(errors="backslashreplace")).digest()
    return b32encode(digest[:10]).decode().lower()


class UnreadableRecord(Exception):
    """A record in Redis that falhook did not write so; `str()` is a sentence with the cure."""

    def __init__(self, job_id: str, fault: str) -> None:
        self.job_id, self.fault = job_id, fault
        key = key_of(job_id, f"job:{job_id}")
        super().__init__(
            f"The record of job {job_id} cannot be read: {fault}. Correct it (`redis-cli HGETALL "
            f"{key}` shows it), or restore Redis from a backup"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job, as stored in its record. Times are Unix seconds; empty text means not known yet."""

    id: str
    endpoint: str
    arguments: Mapping[str, Json]
    tenant: str = DEFAULT
    # The request as its creator tells it from others, a JSON object: name of a part → its hash.
    fingerprint: str = ""
    metadata: Mapping[str, Json] = field(default_factory=dict)
    # The part of the metadata that events carry.
    event_metadata: Mapping[str, Json] = field(default_factory=dict)
    # fal's platform options (catalogue/options.py), and what the job should cost.
    options: Mapping[str, Json] = field(default_factory=dict)
    estimate: Mapping[str, Json] = field(default_factory=dict)
    # The address that is told of this job, the states of which its receivers are told, and the
    # number of events that they were owed so far (worker/notifications).
    notify: str = ""
    owes: str = ""
    told: int = 0
    # Where the job belongs in a trace (worker/traces); empty if nobody traces it.
    traceparent: str = ""
    # 1: a result without a file is a failure; 0: any result is a success.
    needs_file: int = 1
    state: JobState = JobState.QUEUED
    created_at: float = 0.0
    updated_at: float = 0.0
    due_at: float = 0.0
    # The number of the POST, from 1; it is part of the token in the callback URL.
    attempt: int = 0
    # The attempt whose POST may have reached fal; 0: certainly none has.
    posted: int = 0
    # Since the last move: starts of the step, waits for an unavailable dependency
    # (`Step.waits_for`), and wakes by the sweep.
    tries: int = 0
    waits: int = 0
    wakes: int = 0
    # No worker may start the step before lease_until: one is running it, or its retry waits.
    lease_owner: str = ""
    lease_until: float = 0.0
    request_id: str = ""
    response_url: str = ""
    cancel_url: str = ""
    submitted_at: float = 0.0
    looked_up: int = 0
    # fal's result, unchanged, and the fingerprint of the callback that brought it.
    payload: Json = None
    callback: str = ""
    # What each step passes to the next: sizes, hashes, names.
    source: Mapping[str, Json] = field(default_factory=dict)
    outputs: Mapping[str, Json] = field(default_factory=dict)
    step: str = ""
    reason: str = ""
    sentence: str = ""
    # One line of JSON for each event: worker/jobs/history.py.
    history: str = field(default="", repr=False)

    @property
    def refused(self) -> bool:
        """Whether its creation was rejected: it has no inputs and was never posted."""
        return self.state is JobState.FAILED and self.step == Task.CREATE

    def replaceable_by(self, tenant: str) -> bool:
        """Return whether a new job of this tenant may have its record: a rejected one of its own.

        What was rejected for its tenant belongs to none, and can be corrected.
        """
        own = self.tenant == tenant or self.reason == InvalidTenant.reason
        return self.refused and own

    @classmethod
    def decode(cls, record: Mapping[str, str]) -> Self:
        """Return the job of a Redis hash that `encode` wrote. Raises UnreadableRecord."""
        if missing := [name for name in _REQUIRED if name not in record]:
            raise UnreadableRecord(record.get("id", ""), f"it has no field {missing[0]}")
        values = {}
        for name in (f.name for f in fields(cls) if f.name in record):
            try:
                values[name] = _decoded(name, record[name])
            except (ValueError, RecursionError):
                # Neither the value nor the error's text: either may hold a prompt.
                fault = f"its field {name} is not {_kind(name)}"
                raise UnreadableRecord(record["id"], fault) from None
        return cls(**values)  # type: ignore[arg-type]


# What a field has that the record lacks.
DEFAULTS: Mapping[str, object] = {
    f.name: f.default if f.default_factory is MISSING else f.default_factory()
    for f in fields(Job)
    if f.default is not MISSING or f.default_factory is not MISSING
}

_JSON = frozenset(
    {
        "arguments",
        "metadata",
        "event_metadata",
        "payload",
        "source",
        "outputs",
        "options",
        "estimate",
    }
)
_INTS = frozenset(
    {"needs_file", "attempt", "posted", "tries", "waits", "wakes", "looked_up", "told"}
)
_FLOATS = frozenset({"created_at", "updated_at", "due_at", "lease_until", "submitted_at"})


_REQUIRED = ("id", "endpoint", "arguments")


def _kind(name: str) -> str:
    if name in _JSON:
        return "JSON"
    return "a state" if name == "state" else "a number"


def _decoded(name: str, value: str) -> object:
    if name in _JSON:
        return json.loads(value)
    if name in _INTS:
        return int(value)
    if name in _FLOATS:
        return float(value)
    return JobState(value) if name == "state" else value


def encode(changes: Mapping[str, object]) -> dict[str, str]:
    """Return fields of a job as a Redis hash stores them."""
    return {
        name: json.dumps(value) if name in _JSON else str(value) for name, value in changes.items()
    }
