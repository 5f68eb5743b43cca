"""Jobs, a manual clock, a scripted fal, and a pipeline with its records on a real Redis."""

import json
import random
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import EllipsisType
from typing import cast

import httpx
from redis import Redis

from infra.local.fal_process import FalProcess
from tests.factories.listed import history_of
from webhook.contract import INBOX, Callback, Queue, Task, inbox_key
from webhook.shards import all_keys, key_of
from worker.fal.client import FalClient
from worker.jobs.change import Event, Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.leases import Leases
from worker.jobs.store import JobStore, connect
from worker.jobs.transitions import Transitions
from worker.pipeline import NEXT_TASK, STEPS, Pipeline, Rescue
from worker.steps.inbox import InboxReader
from worker.steps.ingest import Ingest
from worker.steps.lookup import LookUp
from worker.steps.submit import Submit
from worker.steps.sweep import Sweep
from worker.types import Json

ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
REQUEST = "019a9d3e-5b7c-7d10-8f42-0c6a4e21b7aa"
VIDEO: dict[str, Json] = {"video": {"url": "https://v3b.fal.media/files/b/0a/output.mp4"}}
DEADLINE = 2700.0
SECRET = "a-secret-of-the-tests-0123456789"
# Reason codes that do not count as tries of the World's steps.
UNAVAILABLE = frozenset({"storage_away", "signing_failed", "timestamp_unavailable"})


class ManualClock:
    """A clock in Unix seconds that only `forward` moves."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass; negative seconds step back."""
        self.now += seconds


class ScriptedFal:
    """fal at the level of HTTP: its next `answers`, and the `requests` so far.

    Without a scripted answer it accepts each POST with a new request id and has no result.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[httpx.Response | Exception] = []
        self.before_answer: Callable[[], object] = lambda: None
        self.fal = FalClient("id:secret", transport=httpx.MockTransport(self._handle))

    def count(self, method: str) -> int:
        """Return how many requests of this method arrived."""
        return sum(request.method == method for request in self.requests)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.before_answer()
        if not self.answers:
            return accepted(len(self.requests)) if request.method == "POST" else answer(404)
        next_answer = self.answers.pop(0)
        if isinstance(next_answer, Exception):
            raise next_answer
        return next_answer


def answer(status: int, content: Json = None, **headers: str) -> httpx.Response:
    """Return an answer of fal's."""
    return httpx.Response(status, json=content, headers=headers)


def accepted(number: int = 1) -> httpx.Response:
    """Return fal's answer to an accepted job, with the request id `request(number)`."""
    address = f"https://queue.fal.run/fal-ai/kling-video/requests/{request(number)}"
    return answer(
        200,
        {
            "request_id": request(number),
            "response_url": address,
            "status_url": f"{address}/status",
            "cancel_url": f"{address}/cancel",
        },
    )


def request(number: int = 1) -> str:
    """Return the request id with this number."""
    return f"{REQUEST[:-4]}{number:04d}"


class ToSimulation(httpx.BaseTransport):
    """A transport that sends requests for fal's hosts to a simulated fal over TLS.

    fal-client fixes its hosts at import, so that they cannot be set.
    """

    def __init__(self, fal: FalProcess) -> None:
        self._base = httpx.URL(fal.url)
        context = ssl.create_default_context(cafile=fal.ca_file)
        self._inner = httpx.HTTPTransport(verify=context)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the simulation instead."""
        url = request.url.copy_with(host=self._base.host, port=self._base.port)
        headers = {**request.headers, "host": f"{self._base.host}:{self._base.port}"}
        return self._inner.handle_request(
            httpx.Request(
                request.method,
                url,
                headers=headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


@contextmanager
def world_on(redis_url: str, fal: FalClient) -> Iterator["World"]:
    """Open a pipeline on that Redis until the block ends."""
    with connect(redis_url) as redis, Redis.from_url(redis_url) as raw:
        yield World(redis, raw, fal)


def callback(
    *,
    attempt: int = 1,
    request_id: str = request(),
    payload: "Json | EllipsisType" = ...,
    status: str | None = "OK",
    error: str | None = None,
    received_at: float = 1_700_000_000.0,
) -> Callback:
    """Return a verified callback, by default with a video, or without one if it is an ERROR."""
    if payload is ...:
        payload = None if status == "ERROR" else VIDEO
    content = {"error": error, "payload": payload, "request_id": request_id, "status": status}
    return Callback(
        attempt=attempt,
        request_id=request_id,
        received_at=received_at,
        body=json.dumps(content).encode(),
    )


class World:
    """The pipeline between the receiver's inbox and the records; wakes are only recorded.

    `work` replaces single steps after the render; all others succeed.
    """

    def __init__(self, redis: Redis, raw: Redis, fal: FalClient) -> None:
        self.clock = ManualClock()
        self.raw = raw
        self.wakes: list[tuple[Task, str]] = []
        self.ingest_wakes: list[Sequence[str]] = []
        self.work: dict[Task, Callable[[Job], Outcome]] = {}
        self.rescues: dict[Task, Rescue] = {}
        self.published: list[str] = []
        # Hears of each move of a job, with its new state.
        self.ended: Callable[[Job, JobState], object] = lambda _job, _state: None
        self.store = JobStore(redis, clock=self.clock)
        self.submit = Submit(
            fal=fal,
            store=self.store,
            public_url="https://hooks.example.com",
            secret=SECRET,
            deadline=DEADLINE,
        )
        self.transitions = Transitions(
            self.store,
            NEXT_TASK,
            lambda task, job_id: self.wakes.append((task, job_id)),
            self._has_ended,
        )
        self.pipeline = self.another_worker()
        self.inbox = InboxReader(raw, clock=self.clock)
        self.lookup = LookUp(
            store=self.store, transitions=self.transitions, fal=fal, deadline=DEADLINE
        )
        self.ingest = Ingest(
            store=self.store,
            transitions=self.transitions,
            inbox=self.inbox,
            lookup=self.lookup,
        )
        # What waits in a queue, as the broker would count it.
        self.queue_lengths: dict[Queue, int] = {}
        self.sweep = Sweep(
            store=self.store,
            transitions=self.transitions,
            inbox=self.inbox,
            wake_ingest=self.ingest_wakes.append,
            deadline=DEADLINE,
            queue_length=lambda queue: self.queue_lengths.get(queue, 0),
        )

    def another_worker(self) -> Pipeline:
        """Return another pipeline, as in a further worker process."""
        return Pipeline(
            store=self.store,
            transitions=self.transitions,
            leases=Leases(self.store),
            work={step.task: partial(self._do, step.task, step.gives[0]) for step in STEPS[1:]}
            | {Task.SUBMIT: self.submit.work},
            rescues=self.rescues,
            steps=(
                STEPS[0],
                *(replace(step, tries=3, waits_for=UNAVAILABLE) for step in STEPS[1:]),
            ),
            rng=random.Random(7),
            pause=self.clock.forward,
        )

    def _has_ended(self, job: Job, state: JobState) -> None:
        self.ended(job, state)

    def _do(self, task: Task, to: JobState, job: Job) -> Outcome:
        if task in self.work:
            return self.work[task](job)
        if to is JobState.PUBLISHED:
            self.published.append(job.id)
        results: Mapping[JobState, Mapping[str, object]] = {
            JobState.DOWNLOADED: {"source": {"bytes": 3}},
            JobState.TAGGED: {"outputs": {"files": {"video.mp4": {}}}},
        }
        return Outcome(to=to, set=results.get(to, {}))

    def add(self, job_id: str = "job1", **changes: object) -> Job:
        """Add a job in QUEUED and return it."""
        fields: dict[str, object] = {
            "arguments": {"prompt": "A fox"},
            "endpoint": ENDPOINT,
            **changes,
        }
        job = Job(id=job_id, **fields)  # type: ignore[arg-type]
        due = self.clock() + 20
        assert self.store.add(job, due=due, event={"name": "created"})
        return self.job(job_id)

    def add_submitted(self, job_id: str = "job1") -> Job:
        """Add a job that fal has accepted and return it."""
        self.add(job_id)
        self.pipeline.run(Task.SUBMIT, job_id)
        return self.job(job_id)

    def job(self, job_id: str = "job1") -> Job:
        """Return the job's current record."""
        job = self.store.get(job_id)
        assert job is not None
        return job

    def state(self, job_id: str = "job1") -> JobState:
        """Return the job's state."""
        return self.job(job_id).state

    def receive(self, *callbacks: Callback, job_id: str = "job1") -> None:
        """Write callbacks into the inbox as the receiver does."""
        for entry in callbacks:
            self.raw.hsetnx(inbox_key(job_id), entry.fingerprint, entry.encode())
            self.raw.zadd(key_of(job_id, INBOX), {job_id: self.clock() + 10}, nx=True)

    def deliver(self, *callbacks: Callback, job_id: str = "job1") -> None:
        """Receive callbacks and ingest them."""
        self.receive(*callbacks, job_id=job_id)
        self.ingest.run([job_id])

    def follow_wakes(self) -> None:
        """Run the steps of all wakes until there are none."""
        while self.wakes or self.ingest_wakes:
            for task, job_id in self._taken():
                self.pipeline.run(task, job_id)
            ingests, self.ingest_wakes[:] = list(self.ingest_wakes), []
            for job_ids in ingests:
                self.ingest.run(job_ids)

    def _taken(self) -> list[tuple[Task, str]]:
        wakes, self.wakes[:] = list(self.wakes), []
        return wakes

    def names(self, job_id: str = "job1") -> list[str]:
        """Return the names of the job's events."""
        return [event["name"] for event in self.history(job_id)]

    def history(self, job_id: str = "job1") -> Sequence[Event]:
        """Return the job's events."""
        return history_of(self.store, job_id)

    def pending(self) -> list[str]:
        """Return the ids of the jobs with callbacks in the inbox."""
        return [
            cast(bytes, job_id).decode()
            for key in all_keys(INBOX)
            for job_id in self.raw.zrange(key, 0, -1)
        ]
