"""The submit step: one POST an attempt, whatever the network does, against the simulated fal."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest
import structlog
from redis.exceptions import ConnectionError as RedisConnectionError

from infra.local.fal_process import FalProcess
from tests.factories.world import (
    DEADLINE,
    ScriptedFal,
    ToSimulation,
    World,
    accepted,
    answer,
    callback,
    request,
    world_on,
)
from webhook.contract import Task, attempt_of
from worker.errors import Transient
from worker.fal.client import FalClient
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.leases import LEASE
from worker.jobs.paused_accounts import paused
from worker.jobs.store import REPLICA_BEHIND, job_key
from worker.steps.account_pause import FIRST_PAUSE, AccountPause

S = JobState


@pytest.fixture(scope="module")
def simulated(module_fal: Callable[..., FalProcess]) -> FalProcess:
    """One simulated fal for this module; no callback arrives anywhere."""
    return module_fal("--speed", "1000")


@pytest.fixture
def real(redis_url: str, simulated: FalProcess) -> Iterator[World]:
    """A pipeline that posts to the simulated fal over TLS."""
    transport = ToSimulation(simulated)
    fal = FalClient(simulated.environment["FAL_KEY"], transport=transport)
    with transport, world_on(redis_url, fal) as world:
        yield world


def posts(simulated: FalProcess, job_id: str) -> int:
    """How many POSTs arrived that name this job in their callback address."""
    webhooks = simulated.counts()["webhooks"].items()
    return sum(
        int(str(seen.get("submit_posts", 0))) for url, seen in webhooks if f"/{job_id}/" in url
    )


@pytest.mark.parametrize(
    ("mishap", "state", "reason"),
    [
        ("answer-lost", S.SUBMIT_UNKNOWN, "answer_lost"),
        ("connection-cut", S.SUBMIT_UNKNOWN, "answer_lost"),
        ("status-408", S.SUBMIT_UNKNOWN, "fal_408"),
        ("status-409", S.SUBMIT_UNKNOWN, "fal_409"),
        ("status-503", S.SUBMIT_UNKNOWN, "fal_503"),
        ("status-502-nginx", S.SUBMIT_UNKNOWN, "fal_502"),
        ("status-422", S.FAILED, "fal_422"),
        ("status-429=9", S.QUEUED, "fal_busy"),
    ],
)
def test_one_post_whatever_becomes_of_it(
    real: World, simulated: FalProcess, mishap: str, state: JobState, reason: str
) -> None:
    """Each way a POST can end leads to its state, and wakes that come again send no second one."""
    job_id = f"job-{mishap.partition('=')[0]}"
    real.add(job_id, arguments={"prompt": f"A fox [[sim: {mishap}]]"})
    real.pipeline.run(Task.SUBMIT, job_id)
    real.pipeline.run(Task.SUBMIT, job_id)
    told = real.history(job_id)[-1]
    assert (state, reason, 1) == (real.state(job_id), told["reason"], posts(simulated, job_id))


def test_accepted_by_fal(real: World, simulated: FalProcess) -> None:
    """An accepted job has fal's request id and addresses, and is due at its deadline."""
    real.add("job-fine")
    real.pipeline.run(Task.SUBMIT, "job-fine")
    job = real.job("job-fine")
    assert (S.SUBMITTED, DEADLINE) == (job.state, round(job.due_at - real.clock()))
    assert job.request_id in simulated.counts()["requests"]
    assert (True, True) == (job.request_id in job.response_url, job.request_id in job.cancel_url)


def test_the_address_proves_the_attempt(world: World, fal: ScriptedFal) -> None:
    """The callback address that fal gets was minted for this job and this attempt."""
    world.add_submitted()
    address = httpx.URL(fal.requests[0].url.params["fal_webhook"])
    _, _, job_id, token = address.path.strip("/").split("/")
    assert ("job1", 1) == (job_id, attempt_of([world.submit.secret], job_id, token))


def test_429_waits_as_asked_then_succeeds(world: World, fal: ScriptedFal) -> None:
    """A busy fal gets the job again, no sooner than it asked for, as a new attempt."""
    fal.answers = [answer(429, {"detail": "busy"}, **{"Retry-After": "120"})]
    world.add_submitted()
    wait = world.job().lease_until - world.clock()
    assert (S.QUEUED, True) == (world.state(), 120 <= wait <= 150)
    world.clock.forward(wait + 1)
    world.sweep.run()
    world.follow_wakes()
    assert (S.SUBMITTED, 2, 2) == (world.state(), world.job().attempt, fal.count("POST"))


def test_a_full_queue_at_fal_gets_the_job_later(world: World, fal: ScriptedFal) -> None:
    """The limit is in each POST's address; 429 means that fal has no job, so it is sent again."""
    fal.answers = [answer(429, {"detail": "Queue length limit exceeded"})]
    world.add("job-full", options={"max_queue_length": 3})
    world.pipeline.run(Task.SUBMIT, "job-full")
    job = world.job("job-full")
    assert (S.QUEUED, 0) == (job.state, job.posted)
    world.clock.forward(job.lease_until - world.clock() + 1)
    world.pipeline.run(Task.SUBMIT, "job-full")
    assert S.SUBMITTED is world.state("job-full")
    limits = [request.url.params["fal_max_queue_length"] for request in fal.requests]
    addresses = [request.url.params["fal_webhook"] for request in fal.requests]
    assert ["3", "3"] == limits
    assert all("/job-full/" in address for address in addresses)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError("refused"), "fal_unreachable"),
        (httpx.ConnectError("Name or service not known"), "fal_unreachable"),
        (httpx.ConnectTimeout("10 s"), "fal_unreachable"),
    ],
)
def test_an_unreachable_fal_ends_the_tries(
    world: World, fal: ScriptedFal, error: Exception, reason: str
) -> None:
    """Without a connection nothing was posted: tried again, bounded, then FAILED and why."""
    fal.answers = [error] * 100
    world.add()
    rounds = 0
    while world.state() is S.QUEUED:
        world.pipeline.run(Task.SUBMIT, "job1")
        world.clock.forward(1_000)
        rounds += 1
    job = world.job()
    assert (S.FAILED, reason, 12, 0) == (job.state, job.reason, rounds, job.posted)


def test_a_retry_names_the_host_that_is_away(
    world: World, fal: ScriptedFal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the log, where the reason alone does not tell fal from what stands in its place."""
    written = structlog.testing.CapturingLogger()
    monkeypatch.setattr("worker.pipeline.log", structlog.wrap_logger(written, processors=[]))
    fal.answers = [httpx.ConnectError("refused")]
    world.add()
    world.pipeline.run(Task.SUBMIT, "job1")
    [retried] = [call.kwargs for call in written.calls if call.kwargs["event"] == "step.retried"]
    assert ("fal_unreachable", "queue.fal.run") == (retried["reason"], retried["host"])


def test_a_10_minute_hang_is_unknown(world: World, fal: ScriptedFal) -> None:
    """A read that times out is no leave to post again."""
    fal.answers = [httpx.ReadTimeout("30 s")]
    world.add_submitted()
    world.clock.forward(600)
    world.sweep.run()
    world.follow_wakes()
    assert (S.SUBMIT_UNKNOWN, 1) == (world.state(), fal.count("POST"))


def test_callback_before_the_answer(world: World, fal: ScriptedFal) -> None:
    """The callback settles a job whose submit answer has not come yet; the answer adds to it."""
    world.add()
    fal.before_answer = lambda: world.deliver(callback())
    world.pipeline.run(Task.SUBMIT, "job1")
    job = world.job()
    assert (S.RENDERED, request(), True) == (job.state, job.request_id, bool(job.cancel_url))


def test_callback_settles_a_lost_answer(world: World, fal: ScriptedFal) -> None:
    """The callback carries the request id that the lost answer would have told."""
    fal.answers = [httpx.ReadError("cut")]
    world.add_submitted()
    world.deliver(callback())
    assert (S.RENDERED, request(), 1) == (
        world.state(),
        world.job().request_id,
        fal.count("POST"),
    )


class Killed(BaseException):
    """The worker's process is gone."""


def killed() -> None:
    """Nothing after this line of the worker runs."""
    raise Killed


def test_killed_before_the_post(world: World, fal: ScriptedFal) -> None:
    """A worker that died before its POST was marked has posted nothing: the job goes on."""
    world.add()
    begun = world.store.change_confirmed

    def dies(job_id: str, expected: list[JobState], change: Change) -> bool:
        if change.set and "posted" in change.set:
            raise Killed
        return begun(job_id, expected, change)

    world.store.change_confirmed = dies  # type: ignore[method-assign,assignment]
    with pytest.raises(Killed):
        world.pipeline.run(Task.SUBMIT, "job1")
    world.store.change_confirmed = begun  # type: ignore[method-assign]
    assert (S.SUBMITTING, 0) == (world.state(), fal.count("POST"))
    world.clock.forward(LEASE + 1)
    world.sweep.run()
    world.follow_wakes()
    assert (S.SUBMITTED, 1, 2) == (world.state(), fal.count("POST"), world.job().attempt)


def test_killed_during_the_post(world: World, fal: ScriptedFal) -> None:
    """A worker that died around its POST leaves a job that nobody posts again."""
    world.add()
    fal.before_answer = killed
    with pytest.raises(Killed):
        world.pipeline.run(Task.SUBMIT, "job1")
    world.clock.forward(LEASE + 1)
    world.sweep.run()
    world.follow_wakes()
    assert (S.SUBMIT_UNKNOWN, 1) == (world.state(), fal.count("POST"))
    world.deliver(callback())
    world.follow_wakes()
    assert (S.PUBLISHED, 1) == (world.state(), fal.count("POST"))


def test_a_frozen_worker_that_wakes_up_does_not_post(world: World, fal: ScriptedFal) -> None:
    """A worker frozen between its claim and its POST finds its claim gone, and sends nothing."""
    world.add()
    change = world.store.change_confirmed
    frozen: list[str] = []

    def slowly(job_id: str, expected: list[JobState], what: Change) -> bool:
        if what.set and "posted" in what.set and not frozen:
            frozen.append(job_id)
            world.clock.forward(LEASE + 1)
            world.sweep.run()
            world.follow_wakes()
        return change(job_id, expected, what)

    world.store.change_confirmed = slowly  # type: ignore[method-assign,assignment]
    world.pipeline.run(Task.SUBMIT, "job1")
    assert (S.SUBMITTED, 1, 2) == (world.state(), fal.count("POST"), world.job().attempt)


def test_an_answer_after_the_sweep_gave_up_counts(world: World, fal: ScriptedFal) -> None:
    """The answer of a slow POST settles a job that was taken for lost meanwhile."""

    def late() -> None:
        world.clock.forward(LEASE + 1)
        world.sweep.run()
        assert S.SUBMIT_UNKNOWN == world.state()

    fal.before_answer = late
    world.add_submitted()
    assert (S.SUBMITTED, request()) == (world.state(), world.job().request_id)


def test_a_refusal_after_the_sweep_gave_up_frees_the_job(world: World, fal: ScriptedFal) -> None:
    """Learning late that fal surely has no job lets it be posted again."""

    def late() -> None:
        world.clock.forward(LEASE + 1)
        world.sweep.run()

    fal.before_answer = late
    fal.answers = [httpx.ConnectTimeout("slow")]
    world.add_submitted()
    assert (S.QUEUED, 0) == (world.state(), world.job().posted)


def test_no_redis_before_the_post_means_no_post(world: World, fal: ScriptedFal) -> None:
    """Where the POST cannot be marked it is not made, and the job stays to be tried."""
    world.add()
    change = world.store.change_confirmed

    def down(job_id: str, expected: list[JobState], what: Change) -> bool:
        if what.set and "posted" in what.set and what.set["posted"]:
            raise RedisConnectionError
        return change(job_id, expected, what)

    world.store.change_confirmed = down  # type: ignore[method-assign,assignment]
    world.pipeline.run(Task.SUBMIT, "job1")
    assert (S.QUEUED, 0, "records_unavailable") == (
        world.state(),
        fal.count("POST"),
        world.history()[-1]["reason"],
    )


def test_a_redis_that_dies_before_the_mark_means_no_post(
    world: World, fal: ScriptedFal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away before the POST is noted, and still away then, it does not make the job unknown."""
    world.add()
    read = world.store.get

    def away(_pause: AccountPause, _job: Job) -> bool:
        world.store.get = still_away  # type: ignore[method-assign,assignment]
        raise RedisConnectionError

    def still_away(_job_id: str) -> Job:
        world.store.get = read  # type: ignore[method-assign]
        raise RedisConnectionError

    monkeypatch.setattr(AccountPause, "check", away)
    world.pipeline.run(Task.SUBMIT, "job1")
    world.store.get = read  # type: ignore[method-assign]
    assert (S.QUEUED, "records_unavailable", 0) == (
        world.state(),
        world.history()[-1]["reason"],
        fal.count("POST"),
    )


def test_an_unconfirmed_mark_means_no_post(world: World, fal: ScriptedFal) -> None:
    """While a replica lacks the mark nothing is sent; the job waits without using up its tries."""
    world.add()
    confirmed = world.store.change_confirmed

    def behind(job_id: str, expected: list[JobState], what: Change) -> bool:
        confirmed(job_id, expected, what)
        raise Transient(REPLICA_BEHIND, "fewer than 1 replicas confirmed the write within 500 ms")

    world.store.change_confirmed = behind  # type: ignore[method-assign,assignment]
    for _ in range(20):
        world.pipeline.run(Task.SUBMIT, "job1")
        job = world.job()
        assert (S.QUEUED, "replica_behind", 0) == (job.state, job.reason, job.posted)
        world.clock.forward(10)
    assert 0 == fal.count("POST")
    world.store.change_confirmed = confirmed  # type: ignore[method-assign]
    world.pipeline.run(Task.SUBMIT, "job1")
    assert (S.SUBMITTED, 1) == (world.state(), fal.count("POST"))


def test_a_crash_whose_mark_cannot_be_read_is_unknown(world: World, fal: ScriptedFal) -> None:
    """A bug after the POST while Redis is away must not lead to a second POST."""
    world.add()

    clock, read = world.store.clock, world.store.get

    def bug() -> float:
        if not fal.count("POST"):
            return clock()
        world.store.clock = clock
        world.store.get = away  # type: ignore[method-assign,assignment]
        raise RuntimeError("a bug")

    def away(_job_id: str) -> Job:
        world.store.get = read  # type: ignore[method-assign]
        raise RedisConnectionError

    world.store.clock = bug
    world.pipeline.run(Task.SUBMIT, "job1")
    assert (S.SUBMIT_UNKNOWN, "crashed", 1) == (
        world.state(),
        world.job().reason,
        fal.count("POST"),
    )


def test_an_answer_without_a_request_id_is_unknown(world: World, fal: ScriptedFal) -> None:
    """A 200 that does not name the job is no proof of anything."""
    fal.answers = [answer(200, {"status": "IN_QUEUE"})]
    world.add_submitted()
    assert (S.SUBMIT_UNKNOWN, 1) == (world.state(), fal.count("POST"))


def test_answers_of_two_attempts_do_not_mix(world: World, fal: ScriptedFal) -> None:
    """An answer counts for its own attempt alone."""
    world.add()

    def overtaken() -> None:
        if fal.count("POST") == 1:
            world.store.redis.hset(job_key("job1"), "attempt", "5")

    fal.before_answer = overtaken
    fal.answers = [accepted(9)]
    world.pipeline.run(Task.SUBMIT, "job1")
    assert (S.SUBMITTING, "") == (world.state(), world.job().request_id)


def test_an_answer_is_written_once_redis_is_back(world: World, fal: ScriptedFal) -> None:
    """Redis away right after fal took the job: its request id waits, and nothing is lost."""
    world.add()
    change = world.store.change
    faults = [RedisConnectionError() for _ in range(4)]

    def away(job_id: str, expected: list[JobState], what: Change) -> bool:
        if fal.count("POST") and faults:
            raise faults.pop()
        return change(job_id, expected, what)

    world.store.change = away  # type: ignore[method-assign,assignment]
    world.pipeline.run(Task.SUBMIT, "job1")
    job = world.job()
    assert (S.SUBMITTED, request(), True) == (job.state, job.request_id, bool(job.cancel_url))


@pytest.mark.parametrize("place", ["https://127.0.0.1:1", "https://fal.invalid"])
def test_a_network_that_is_gone(redis_url: str, place: str) -> None:
    """Over real sockets: refused or without a name, nothing was sent, and the job waits."""
    gone = httpx.URL(place)

    class Gone(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_with(host=gone.host, port=gone.port)
            return super().handle_request(request)

    with (
        Gone() as transport,
        world_on(redis_url, FalClient("id:secret", transport=transport)) as world,
    ):
        world.add_submitted()
        assert (S.QUEUED, "fal_unreachable", 0) == (
            world.state(),
            world.history()[-1]["reason"],
            world.job().posted,
        )


ACCOUNT = answer(401, {"detail": "Invalid API key"})


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (401, "Unauthorized"),
        (401, "Invalid API key"),
        (402, "Payment required"),
        (403, "User is locked. Reason: Exhausted balance. Top up your balance."),
        (403, "Forbidden"),
    ],
)
def test_a_fault_of_the_account_pauses_submission(
    world: World, fal: ScriptedFal, status: int, detail: str
) -> None:
    """No job fails: all wait with the reason, and one job at a time tries after growing pauses."""
    fal.answers = [answer(status, {"detail": detail})] * 3
    with structlog.testing.capture_logs() as lines:
        world.add_submitted()
    assert ["error"] == [line["log_level"] for line in lines if line["event"] == "account.paused"]
    assert 1 == sum(paused(world.store.redis).values())
    for job_id in ("job2", "job3"):
        world.add_submitted(job_id)
    assert 1 == fal.count("POST")
    for job_id in ("job1", "job2", "job3"):
        job = world.job(job_id)
        assert (S.QUEUED, "account_paused", True) == (job.state, job.reason, detail in job.sentence)
    pauses = []
    for posts in (2, 3):
        began = world.clock()
        while fal.count("POST") < posts:
            world.clock.forward(10)
            world.sweep.run()
            world.follow_wakes()
        pauses.append(world.clock() - began)
    assert FIRST_PAUSE <= pauses[0] < pauses[1]
    world.clock.forward(10_000)
    for _ in range(3):
        world.clock.forward(600)
        world.sweep.run()
        world.follow_wakes()
    assert [(S.SUBMITTED, "")] * 3 == [
        (world.job(job_id).state, world.job(job_id).reason) for job_id in ("job1", "job2", "job3")
    ]
    assert 6 == fal.count("POST")
    assert {"account": 0, "endpoint": 0} == paused(world.store.redis)


def test_a_paused_job_never_fails_for_it(world: World, fal: ScriptedFal) -> None:
    """The account may take days to be put right."""
    fal.answers = [ACCOUNT] * 200
    world.add_submitted()
    for _ in range(100):
        world.clock.forward(3600)
        world.sweep.run()
        world.follow_wakes()
    assert (S.QUEUED, "account_paused") == (world.state(), world.job().reason)


def test_another_key_is_not_paused(world: World, fal: ScriptedFal) -> None:
    """With the corrected key the jobs go on at once."""
    fal.answers = [ACCOUNT]
    world.add_submitted()
    corrected = FalClient("other:secret", transport=fal.fal._transport)
    world.submit = replace(world.submit, fal=corrected)
    world.pipeline = world.another_worker()
    assert S.SUBMITTED is world.add_submitted("job2").state


@pytest.mark.parametrize(
    "detail", ["Cannot access application acme/private", "You are not allowed to use this model"]
)
def test_one_application_stops_nothing(world: World, fal: ScriptedFal, detail: str) -> None:
    """Where fal's words name an application, only its own jobs fail."""
    fal.answers = [answer(403, {"detail": detail})]
    world.add_submitted()
    world.add_submitted("job2")
    assert (S.FAILED, S.SUBMITTED) == (world.state(), world.state("job2"))


def test_words_that_do_not_tell_stop_one_endpoint(world: World, fal: ScriptedFal) -> None:
    """Jobs of another endpoint are submitted meanwhile."""
    fal.answers = [answer(403, {"detail": "Forbidden"})]
    world.add_submitted()
    other = Job(id="job2", endpoint="acme/other", arguments={})
    world.store.add(other, due=world.clock() + 20, event={"name": "created"})
    world.pipeline.run(Task.SUBMIT, "job2")
    assert (S.QUEUED, S.SUBMITTED) == (world.state(), world.state("job2"))


@pytest.mark.parametrize("status", [407, 502, 503])
def test_a_proxy_that_opens_no_tunnel(world: World, fal: ScriptedFal, status: int) -> None:
    """Nothing was sent: the job is tried again."""
    fal.answers = [httpx.ProxyError(f"{status} Proxy Authentication Required")]
    world.add_submitted()
    assert (S.QUEUED, "proxy_refused") == (world.state(), world.history()[-1]["reason"])


def test_a_lost_answer_says_what_is_known(world: World, fal: ScriptedFal) -> None:
    """The record says why nothing is sent again, and at the deadline what a resubmit risks."""
    fal.answers = [answer(503, {"detail": "unavailable"})]
    world.add_submitted()
    job = world.job()
    assert (S.SUBMIT_UNKNOWN, "fal_503", True) == (job.state, job.reason, "45 min" in job.sentence)
    world.clock.forward(DEADLINE + 1)
    world.ingest.run(["job1"])
    job = world.job()
    assert S.EXPIRED == job.state
    for words in ("fal_503", "job_id=job1", "--resubmit", "billed"):
        assert words in job.sentence
