"""One record under every order of submits, callbacks, deaths, retries, cancels and clock steps.

Hypothesis chooses what happens next; the record is in a real Redis. fal is scripted at the level
of HTTP and remembers what it was paid for.
"""

import itertools
from collections import Counter
from collections.abc import Iterable
from functools import partial

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from tests.factories.world import VIDEO, World, accepted, answer, callback
from webhook.contract import Task, attempt_of
from webhook.shards import key_of
from worker.errors import Permanent, Transient
from worker.fal.client import FalClient
from worker.jobs.change import Change, Outcome
from worker.jobs.job import FINAL, Job, JobState
from worker.jobs.store import JOBS, TIMERS, connect
from worker.operations.cancel import NotCancellable, cancel
from worker.operations.retry import NotRetryable, Retry

S = JobState
STEPS = (Task.SUBMIT, Task.DOWNLOAD, Task.TRANSCODE_TAG, Task.PUBLISH)
POSTS = (
    "accept",
    "accept, answer lost",
    "accept, answer 503",
    "accept, die",
    "die",
    "cut",
    "busy",
    "refuse",
    "unreachable",
    "die before the mark",
)
GETS = ("nothing", "result", "no answer", "die")
WORKS = ("done", "done", "die", "die after", "transient", "permanent", "crash")
CALLBACKS = ("ok", "ok", "ok", "error", "null", "other")


class Killed(BaseException):
    """Stands for SIGKILL of the worker."""


class Machine(RuleBasedStateMachine):
    """Everything that can happen to a few jobs, in any order."""

    jobs = Bundle("jobs")

    def __init__(self, redis_url: str) -> None:
        super().__init__()
        self.redis = connect(redis_url)
        self.raw = Redis.from_url(redis_url)
        self.raw.flushall()
        self.fal = FalClient("id:secret", transport=httpx.MockTransport(self._fal))
        self.world = World(self.redis, self.raw, self.fal)
        self.next_post, self.next_get, self.next_work = "accept", "nothing", "done"
        self.numbers = itertools.count(1)
        self.posts: Counter[tuple[str, int]] = Counter()
        # What fal was paid for: request ids by job and attempt.
        self.paid: dict[tuple[str, int], str] = {}
        self.resubmits: Counter[str] = Counter()
        self.published: set[str] = set()
        self.ids: list[str] = []
        for task in STEPS[1:]:
            self.world.work[task] = self._work
        self._break_before_the_mark()

    def teardown(self) -> None:
        """Check that every job ends once faults stop."""
        try:
            self.next_post, self.next_get, self.next_work = "accept", "nothing", "done"
            for _ in range(30):
                self.world.clock.forward(1_000)
                self.world.sweep.run()
                self._follow()
            for job_id in self.ids:
                assert self.world.state(job_id) in FINAL, f"{job_id} never ended"
            assert [] == self.world.pending()
            self.check_all()
        finally:
            self.redis.close()
            self.raw.close()

    # What can happen

    @initialize(target=jobs)
    def first(self) -> str:
        """Begin with one job."""
        return self._add()

    @rule(target=jobs)
    def add(self) -> str:
        """Create a further job."""
        return self._add()

    def _add(self) -> str:
        job_id = f"job{len(self.ids) + 1}"
        self.world.add(job_id, estimate={"usd": "1.40"})
        self.ids.append(job_id)
        self.world.wakes.append((Task.SUBMIT, job_id))
        return job_id

    @rule(
        which=st.integers(0, 9),
        post=st.sampled_from(POSTS),
        work=st.sampled_from(WORKS),
    )
    def take_a_message(self, which: int, post: str, work: str) -> None:
        """A worker takes one of the waiting messages, not necessarily the oldest."""
        if self.world.wakes:
            task, job_id = self.world.wakes.pop(which % len(self.world.wakes))
            self._run(task, job_id, post, work)

    @rule(job_id=jobs, task=st.sampled_from(STEPS), post=st.sampled_from(POSTS[:4]))
    def take_a_stray_message(self, job_id: str, task: Task, post: str) -> None:
        """A message arrives that is old, duplicate or of unknown origin."""
        self._run(task, job_id, post, "done")

    @rule(which=st.integers(0, 9), times=st.sampled_from((0, 2)))
    def lose_or_double_a_message(self, which: int, times: int) -> None:
        """Celery loses a message, or delivers it twice."""
        if self.world.wakes:
            wake = self.world.wakes.pop(which % len(self.world.wakes))
            self.world.wakes.extend([wake] * times)

    @rule(
        which=st.integers(0, 9),
        kind=st.sampled_from(CALLBACKS),
        ingested=st.booleans(),
        get=st.sampled_from(GETS),
    )
    def call_back(self, which: int, kind: str, ingested: bool, get: str) -> None:
        """fal calls back for something it was paid for: early, late, again or in contradiction."""
        if not self.paid:
            return
        (job_id, attempt), request_id = list(self.paid.items())[which % len(self.paid)]
        contents = {
            "ok": {"payload": VIDEO},
            "error": {"payload": None, "status": "ERROR", "error": "boom"},
            "null": {"payload": None},
            "other": {"payload": {"video": {"url": "https://v3b.fal.media/files/b/x.mp4"}}},
        }
        received = callback(attempt=attempt, request_id=request_id, **contents[kind])  # type: ignore[arg-type]
        self.world.receive(received, job_id=job_id)
        if ingested:
            self._ingest([job_id], get)

    @rule(get=st.sampled_from(GETS))
    def ingest_all(self, get: str) -> None:
        """A batch of callbacks is ingested."""
        self._ingest(self.world.pending(), get)

    @rule(get=st.sampled_from(GETS), dies=st.booleans())
    def sweep(self, get: str, dies: bool) -> None:
        """Beat sends a sweep; its wakes for ingest may all be lost."""
        self.world.sweep.run()
        wakes, self.world.ingest_wakes[:] = list(self.world.ingest_wakes), []
        for job_ids in wakes[: 0 if dies else None]:
            self._ingest(job_ids, get)

    @rule(seconds=st.sampled_from((1, 21, 21, 130, 700, 3000, 600, -600)))
    def time_passes(self, seconds: int) -> None:
        """Time passes, or the clock is corrected by ten minutes."""
        self.world.clock.forward(seconds)

    @rule(job_id=jobs, again=st.booleans())
    def retry(self, job_id: str, again: bool) -> None:
        """An operator retries a job, with or without another payment."""
        replay = Retry(store=self.world.store)
        try:
            if again:
                replay.resubmit(self.world.job(job_id))
                self.resubmits[job_id] += 1
            else:
                replay.retry(self.world.job(job_id))
        except NotRetryable:
            return

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        """An operator cancels a job."""
        try:
            cancel(self.world.job(job_id), store=self.world.store, fal=self.fal)
        except NotCancellable:
            return

    # What always holds

    @invariant()
    def check_all(self) -> None:
        """Check the promises for every job."""
        for job_id in self.ids:
            self._check(self.world.job(job_id))

    def _check(self, job: Job) -> None:
        posts = {attempt: n for (job_id, attempt), n in self.posts.items() if job_id == job.id}
        assert set(posts.values()) <= {1}, f"an attempt was posted twice: {posts}"
        paid = [attempt for job_id, attempt in self.paid if job_id == job.id]
        assert len(paid) <= 1 + self.resubmits[job.id], f"paid twice: {paid}"
        self._check_history(job)
        self._check_indexes(job)

    def _check_history(self, job: Job) -> None:
        moves = [(event["from"], event["to"]) for event in self.world.history(job.id)]
        assert moves[-1][1] == job.state, "history and state disagree"
        assert all(to == came for (_, to), (came, _) in itertools.pairwise(moves))
        publications = sum(came != S.PUBLISHED == to for came, to in moves)
        assert publications <= 1
        if publications:
            self.published.add(job.id)
        assert (job.id in self.published) is (job.state is S.PUBLISHED), "PUBLISHED is the end"

    def _check_indexes(self, job: Job) -> None:
        score = self.world.store.redis.zscore
        names = {state: key_of(job.id, f"{JOBS}:{state}") for state in S}
        indexed = [state for state in S if score(names[state], job.id) is not None]
        assert [job.state] == indexed
        if job.state not in FINAL:
            assert score(key_of(job.id, TIMERS), job.id) is not None, (
                f"{job.state} without a timer: stuck"
            )

    # How it is done

    def _run(self, task: Task, job_id: str, post: str, work: str) -> None:
        self.next_post, self.next_work = post, work
        try:
            self.world.pipeline.run(task, job_id)
        except Killed:
            return

    def _ingest(self, job_ids: Iterable[str], get: str) -> None:
        self.next_get = get
        try:
            self.world.ingest.run(list(job_ids))
        except Killed:
            return

    def _follow(self) -> None:
        self.world.follow_wakes()

    def _work(self, job: Job) -> Outcome:
        to = {S.RENDERED: S.DOWNLOADED, S.DOWNLOADED: S.TAGGED, S.TAGGED: S.PUBLISHED}[job.state]
        match self.next_work:
            case "die":
                raise Killed
            case "transient":
                raise Transient("cdn_500", "later")
            case "permanent":
                raise Permanent("not_a_video", "never")
            case "crash":
                raise ZeroDivisionError
        results: dict[JobState, dict[str, object]] = {
            S.DOWNLOADED: {"source": {"bytes": 3}},
            S.TAGGED: {"outputs": {"files": {"video.mp4": {}}}},
        }
        if self.next_work == "die after":
            raise Killed
        return Outcome(to=to, set=results.get(to, {}))

    def _fal(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            return answer(202, {"status": "CANCELLATION_REQUESTED"})
        return self._post(request) if request.method == "POST" else self._get()

    def _post(self, request: httpx.Request) -> httpx.Response:
        _, _, job_id, token = (
            httpx.URL(request.url.params["fal_webhook"]).path.strip("/").split("/")
        )
        attempt = attempt_of([self.world.submit.secret], job_id, token)
        assert attempt is not None
        plan, self.next_post = self.next_post, "accept"
        if plan == "unreachable":
            raise httpx.ConnectError("refused")
        self.posts[job_id, attempt] += 1
        acceptance = accepted(next(self.numbers))
        if plan.startswith("accept"):
            self.paid[job_id, attempt] = acceptance.json()["request_id"]
        match plan:
            case "accept, answer lost" | "cut":
                raise httpx.ReadError("cut")
            case "accept, answer 503":
                return answer(503)
            case "accept, die" | "die":
                raise Killed
            case "busy":
                return answer(429)
            case "refuse":
                return answer(422, {"detail": "no"})
        return acceptance

    def _get(self) -> httpx.Response:
        plan, self.next_get = self.next_get, "nothing"
        match plan:
            case "result":
                return answer(200, VIDEO)
            case "no answer":
                raise httpx.ConnectError("down")
            case "die":
                raise Killed
        return answer(404)

    def _break_before_the_mark(self) -> None:
        change = self.world.store.change_confirmed

        def dying(job_id: str, expected: Iterable[JobState], what: Change) -> bool:
            marks = what.set is not None and bool(what.set.get("posted"))
            if marks and self.next_post == "die before the mark":
                self.next_post = "accept"
                raise Killed
            return change(job_id, expected, what)

        self.world.store.change_confirmed = dying  # type: ignore[method-assign,assignment]


def walk(redis_url: str, examples: int) -> None:
    """Run this many random walks of 40 steps each."""
    run_state_machine_as_test(
        partial(Machine, redis_url),  # type: ignore[arg-type]  # it only calls its argument
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(120)
def test_the_record_keeps_its_promises(redis_url: str) -> None:
    """One POST per attempt, one payment per decision, at most one publication; every job ends."""
    walk(redis_url, 20)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_the_record_keeps_its_promises_for_long(redis_url: str) -> None:
    """The same holds in many more walks."""
    walk(redis_url, 300)
