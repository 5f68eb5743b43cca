"""Retries on a real Redis: free if something is stored, never a silent second payment."""

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.factories.world import DEADLINE, VIDEO, ScriptedFal, World, answer, callback, request
from webhook.contract import Task
from worker.cli.main import cli
from worker.errors import Permanent, Transient
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, job_key
from worker.operations.retry import NotRetryable, Retry

S = JobState


def broken(_job: Job) -> Outcome:
    """Fail permanently."""
    raise Permanent("storage_full", "no room")


def failed_at(world: World, task: Task) -> Job:
    """Return a job that failed permanently in this step."""
    world.add_submitted()
    world.deliver(callback())
    world.work[task] = broken
    world.follow_wakes()
    del world.work[task]
    return world.job()


def sweep(world: World) -> None:
    """Let the sweep wake what is due, and run it."""
    world.clock.forward(1)
    world.sweep.run()
    world.follow_wakes()


@pytest.mark.parametrize(
    ("task", "to"),
    [
        (Task.DOWNLOAD, S.RENDERED),
        (Task.TRANSCODE_TAG, S.DOWNLOADED),
        (Task.PUBLISH, S.TAGGED),
    ],
)
def test_a_job_continues_where_it_failed(
    world: World, fal: ScriptedFal, task: Task, to: JobState
) -> None:
    """A job that failed after its render continues with the failed step, without a POST."""
    job = failed_at(world, task)
    assert (S.FAILED, to) == (job.state, Retry(store=world.store).retry(job))
    sweep(world)
    assert (S.PUBLISHED, 1, "") == (world.state(), fal.count("POST"), world.job().reason)


def test_a_job_with_a_result_without_a_file_continues_too(world: World, fal: ScriptedFal) -> None:
    """A result may be an id, which is on the record."""
    world.work[Task.DOWNLOAD] = broken
    world.add(needs_file=0)
    world.pipeline.run(Task.SUBMIT, "job1")
    world.deliver(callback(payload={"voice_id": "v-829"}))
    world.follow_wakes()
    world.work.clear()
    assert S.RENDERED is Retry(store=world.store).retry(world.job())
    sweep(world)
    assert (S.PUBLISHED, 1) == (world.state(), fal.count("POST"))


def test_a_job_that_fal_never_accepted_is_posted(world: World, fal: ScriptedFal) -> None:
    """A job that fal rejected cost nothing, so its retry posts it."""
    fal.answers = [answer(404, {"detail": "unknown application"})]
    world.add_submitted()
    assert S.QUEUED is Retry(store=world.store).retry(world.job())
    sweep(world)
    assert (S.SUBMITTED, 2) == (world.state(), fal.count("POST"))


@pytest.mark.parametrize("lost", [True, False])
def test_a_failed_render_is_not_posted_by_itself(
    world: World, fal: ScriptedFal, lost: bool
) -> None:
    """If fal has rendered, the retry is rejected with the flag for another render."""
    if lost:
        world.add()
        fal.before_answer = lambda: world.deliver(callback(status="ERROR", error="boom"))
        world.pipeline.run(Task.SUBMIT, "job1")
    else:
        world.add_submitted()
        world.deliver(callback(status="ERROR", error="boom"))
    with pytest.raises(NotRetryable, match="`falhook retry job1 --resubmit`"):
        Retry(store=world.store).retry(world.job())
    assert S.FAILED is world.state()


def test_an_expired_job_is_looked_up_again(world: World, fal: ScriptedFal) -> None:
    """Retrying an expired job costs one GET, which may return the result."""
    world.add_submitted()
    world.clock.forward(DEADLINE + 1)
    sweep(world)
    assert S.EXPIRED is world.state()
    fal.answers = [answer(200, VIDEO)]
    Retry(store=world.store).retry(world.job())
    sweep(world)
    assert (S.PUBLISHED, 1, 2) == (world.state(), fal.count("POST"), fal.count("GET"))


def test_a_kept_callback_is_published_by_a_retry(world: World, fal: ScriptedFal) -> None:
    """A result that came after the cancel is published without a POST."""
    world.add_submitted()
    world.store.redis.hset(job_key("job1"), "state", "CANCELLED")
    world.deliver(callback())
    assert S.CANCELLED is world.state()
    Retry(store=world.store).retry(world.job())
    sweep(world)
    assert (S.PUBLISHED, 1) == (world.state(), fal.count("POST"))


def test_resubmit_is_a_new_attempt(world: World, fal: ScriptedFal) -> None:
    """A resubmitted job is posted again with its own webhook address; the old one is invalid."""
    world.add_submitted()
    world.deliver(callback(status="ERROR", error="boom"))
    Retry(store=world.store).resubmit(world.job())
    sweep(world)
    job = world.job()
    assert (S.SUBMITTED, 2, 2) == (job.state, job.attempt, fal.count("POST"))
    world.deliver(callback(attempt=1))
    assert (S.SUBMITTED, "conflict") == (world.state(), world.names()[-1])
    world.deliver(callback(attempt=2, request_id=job.request_id))
    world.follow_wakes()
    assert S.PUBLISHED is world.state()


def test_resubmit_rejects_a_stored_result(world: World) -> None:
    """A job whose result is stored is not paid for a second time."""
    job = failed_at(world, Task.DOWNLOAD)
    with pytest.raises(NotRetryable, match="without a new payment"):
        Retry(store=world.store).resubmit(job)


@pytest.mark.parametrize("way", ["retry", "resubmit"])
def test_a_job_that_has_not_failed_is_unchanged(world: World, way: str) -> None:
    """Neither retry nor resubmit changes a job that has not ended or is published."""
    job = world.add_submitted()
    with pytest.raises(NotRetryable, match="has not ended"):
        getattr(Retry(store=world.store), way)(job)
    world.deliver(callback())
    world.follow_wakes()
    with pytest.raises(NotRetryable, match="PUBLISHED"):
        getattr(Retry(store=world.store), way)(world.job())


def test_one_of_two_concurrent_retries_counts(world: World) -> None:
    """The second of two retries of the same state is rejected."""
    job = failed_at(world, Task.DOWNLOAD)
    Retry(store=world.store).retry(job)
    with pytest.raises(NotRetryable, match="faster"):
        Retry(store=world.store).retry(job)


def add_refused(world: World, job_id: str = "job1") -> Job:
    """Add a request that was rejected at creation, without inputs."""
    fields = {"step": Task.CREATE, "reason": "invalid_arguments", "sentence": "…"}
    return world.add(job_id, arguments={}, state=S.FAILED, **fields)


@pytest.mark.parametrize("way", ["retry", "resubmit"])
def test_what_was_refused_when_it_was_made_is_not_posted(
    world: World, fal: ScriptedFal, way: str
) -> None:
    """There is nothing to post; the message asks for a corrected request."""
    job = add_refused(world)
    with pytest.raises(NotRetryable, match=r"job1 was rejected .*submit a corrected request"):
        getattr(Retry(store=world.store), way)(job)
    sweep(world)
    assert (S.FAILED, 0) == (world.state(), fal.count("POST"))


@pytest.fixture
def falhook(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> "Falhook":
    """The command line on this Redis."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    return Falhook()


class Falhook:
    """A function that runs `falhook` in this process."""

    def __call__(self, *arguments: str, stdin: str = "") -> Result:
        """Return the output of the command and its exit code."""
        return CliRunner().invoke(cli, arguments, input=stdin)


def test_retry_of_all_failed_with_a_reason(world: World, falhook: Falhook) -> None:
    """`--failed --reason` retries the matching jobs and no others."""
    failed_at(world, Task.DOWNLOAD)
    world.add("other", state=S.FAILED)
    done = falhook("retry", "--failed", "--reason", "storage_full", "--since", "7d", "--json")
    world.clock.forward(1)
    retried = [json.loads(line) for line in done.stdout.splitlines()]
    assert [] == retried, "the world's clock is in 2023: no job is that new"
    done = falhook("retry", "--failed", "--reason", "storage_full", "--json")
    assert (0, [{"id": "job1", "state": "RENDERED", "was": "FAILED"}]) == (
        done.exit_code,
        [json.loads(line) for line in done.stdout.splitlines()],
    )
    assert (S.RENDERED, S.FAILED) == (world.state(), world.state("other"))


@pytest.mark.parametrize("resubmit", [(), ("--resubmit", "--yes")])
def test_all_failed_skips_rejected_requests(
    world: World, falhook: Falhook, resubmit: tuple[str, ...]
) -> None:
    """They are counted and do not fail the command, unless one is named."""
    failed_at(world, Task.DOWNLOAD) if not resubmit else world.add(state=S.FAILED)
    add_refused(world, "bad1")
    add_refused(world, "bad2")
    done = falhook("retry", "--failed", "--json", *resubmit)
    assert (0, 1) == (done.exit_code, len(done.stdout.splitlines()))
    assert "Skipped 2 rejected requests: submit corrected ones" in done.stderr
    assert S.FAILED is world.state("bad1")
    named = falhook("retry", "bad1", *resubmit)
    assert (1, True) == (named.exit_code, "has no inputs" in named.stderr)


def test_resubmit_shows_the_price_and_asks(
    world: World, falhook: Falhook, fal: ScriptedFal
) -> None:
    """Nothing is resubmitted before a yes to the price."""
    world.add(estimate={"usd": "1.40"})
    world.pipeline.run(Task.SUBMIT, "job1")
    world.deliver(callback(status="ERROR", error="boom"))
    refused = falhook("retry", "job1", "--resubmit", stdin="n\n")
    assert ("$1.40" in refused.output, S.FAILED) == (True, world.state())
    agreed = falhook("retry", "job1", "--resubmit", stdin="y\n")
    assert (0, S.QUEUED, 1) == (agreed.exit_code, world.state(), fal.count("POST"))


def test_resubmit_without_a_terminal(world: World, falhook: Falhook, fal: ScriptedFal) -> None:
    """The error names the flag to pass, and nothing is paid."""
    world.add(estimate={"usd": "1.40"})
    world.pipeline.run(Task.SUBMIT, "job1")
    world.deliver(callback(status="ERROR", error="boom"))
    done = falhook("retry", "job1", "--resubmit")
    assert (2, S.FAILED, 1) == (done.exit_code, world.state(), fal.count("POST"))
    assert "fal will render 1 job again" in done.output
    assert "pass --yes" in done.output


def test_exit_code_1_if_a_job_cannot_continue(world: World, falhook: Falhook) -> None:
    """The exit code is 1, and the output has the reason."""
    world.add_submitted()
    done = falhook("retry", "job1")
    assert (1, True) == (done.exit_code, "has not ended" in done.output)


def test_an_unanswered_retry_is_reported(
    world: World, falhook: Falhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job may have continued; a second run of the command does not change it."""
    failed_at(world, Task.DOWNLOAD)
    change = JobStore.change

    def silent(*arguments: Any, **named: Any) -> bool:
        change(*arguments, **named)
        raise RedisTimeoutError("Timeout reading from socket")

    with monkeypatch.context() as patched:
        patched.setattr(JobStore, "change", silent)
        done = falhook("retry", "job1")
    assert 2 == done.exit_code
    assert "did not answer in time: Timeout reading from socket. job1 may have cont" in done.stderr
    assert (1, S.RENDERED) == (falhook("retry", "job1").exit_code, world.state())


@pytest.mark.parametrize("arguments", [(), ("job1", "--failed")])
def test_retry_needs_ids_or_a_state(world: World, falhook: Falhook, arguments: tuple[str]) -> None:
    """Neither or both of job ids and a state is an error."""
    assert 2 == falhook("retry", *arguments).exit_code


def test_dead_letters_are_listed_by_reason(world: World, falhook: Falhook) -> None:
    """`list --state FAILED --reason` lists only the matching jobs."""
    failed_at(world, Task.DOWNLOAD)
    world.add("other", state=S.FAILED)
    done = falhook("list", "--state", "FAILED", "--reason", "storage_full", "--json")
    assert ["job1"] == [json.loads(line)["id"] for line in done.stdout.splitlines()]


def test_show_has_the_whole_history(world: World, falhook: Falhook) -> None:
    """`show` has every event, and the record with its source, attempt and request id."""
    world.add_submitted()
    world.deliver(callback())
    world.follow_wakes()
    record = json.loads(falhook("show", "job1", "--json").stdout)
    assert list(world.history()) == record["history"]
    assert ({"bytes": 3}, 1, request()) == (
        record["source"],
        record["attempt"],
        record["request_id"],
    )
    shown = falhook("show", "job1").output
    for state in ("QUEUED", "SUBMITTING", "SUBMITTED", "RENDERED", "DOWNLOADED", "PUBLISHED"):
        assert state in shown


ASKED = {
    "fal refused it": (answer(400, {"detail": "locked"}), ()),
    "fal refused its inputs": (answer(422, {"detail": "bad"}), ()),
    "it failed at fal": (None, ("--resubmit",)),
}


def failed_before_a_result(world: World, fal: ScriptedFal, way: str) -> None:
    """Add a job that ended without a result."""
    world.add(estimate={"usd": "1.40"})
    refusal, _ = ASKED[way]
    if refusal is not None:
        fal.answers = [refusal]
    world.pipeline.run(Task.SUBMIT, "job1")
    if refusal is None:
        world.deliver(callback(status="ERROR", error="boom"))
    assert S.FAILED is world.state()


@pytest.mark.parametrize("way", ASKED)
@pytest.mark.parametrize("chosen", [("job1",), ("--failed",), ("--failed", "--reason", "")])
def test_a_retry_that_posts_asks_first(
    world: World, falhook: Falhook, fal: ScriptedFal, way: str, chosen: tuple[str, ...]
) -> None:
    """Without a terminal it needs --yes: exit code 2, and no job has changed."""
    failed_before_a_result(world, fal, way)
    posts = fal.count("POST")
    done = falhook("retry", *chosen, *ASKED[way][1])
    sweep(world)
    assert (2, S.FAILED, posts) == (done.exit_code, world.state(), fal.count("POST"))
    assert ("which may cost about $1.40" in done.stderr, "pass --yes" in done.stderr) == (
        True,
        True,
    )
    agreed = falhook("retry", *chosen, *ASKED[way][1], "--yes")
    assert (0, S.QUEUED) == (agreed.exit_code, world.state())


def test_one_paid_job_among_free_ones_asks_for_it_alone(
    world: World, falhook: Falhook, fal: ScriptedFal
) -> None:
    """The question counts the jobs that are sent; after a no, no job has changed."""
    failed_at(world, Task.DOWNLOAD)
    world.add("paid", state=S.FAILED, estimate={"usd": "2.80"})
    done = falhook("retry", "--failed", stdin="n\n")
    assert "fal will render 1 job, which may cost about $2.80. 1 other will not" in done.stderr
    assert (S.FAILED, S.FAILED) == (world.state(), world.state("paid"))


def test_a_free_retry_does_not_ask(world: World, falhook: Falhook) -> None:
    """A stored result is published without a question."""
    failed_at(world, Task.DOWNLOAD)
    assert (0, S.RENDERED) == (falhook("retry", "--failed").exit_code, world.state())


def test_show_says_that_a_failed_render_may_be_billed(
    world: World, falhook: Falhook, fal: ScriptedFal
) -> None:
    """fal bills successful outputs only, so nothing says that a failed render has a cost."""
    failed_before_a_result(world, fal, "it failed at fal")
    shown = falhook("show", "job1").output
    assert "fal may bill about $1.40, though it bills successful outputs only" in shown
    assert "costs again" not in falhook("retry", "job1").output


@pytest.mark.parametrize(
    ("reason", "found"),
    [("storage_full", True), ("storage", True), ("storage_*", True), ("full", False), ("", True)],
)
def test_a_reason_may_be_a_beginning(
    world: World, falhook: Falhook, reason: str, *, found: bool
) -> None:
    """`--reason storage` chooses all reason codes that begin so."""
    failed_at(world, Task.DOWNLOAD)
    assert found is ("job1" in falhook("list", "--reason", reason).stdout)


def test_list_has_cost_title_and_why_a_job_waits(world: World, falhook: Falhook) -> None:
    """A job that waits for storage says so, although its record has no reason."""

    def full(_job: Job) -> Outcome:
        raise Transient("storage_full", "no room")

    world.add(estimate={"usd": "1.40"}, metadata={"title": "Fox"})
    world.pipeline.run(Task.SUBMIT, "job1")
    world.deliver(callback())
    world.work[Task.TRANSCODE_TAG] = full
    world.follow_wakes()
    line = falhook("list").stdout.splitlines()[-1]
    assert ["$1.40", "Fox", "waits: storage_full"] == [
        word for word in ("$1.40", "Fox", "waits: storage_full") if word in line
    ]
    assert "waits: storage_full" == json.loads(falhook("list", "--json").stdout)["why"]


def test_show_and_list_stay_json(world: World, falhook: Falhook) -> None:
    """The new fields are beside the old ones, and each line is one document."""
    failed_at(world, Task.DOWNLOAD)
    shown = json.loads(falhook("show", "job1", "--json").stdout)
    listed = [json.loads(line) for line in falhook("list", "--json").stdout.splitlines()]
    assert ([], "job1", "job1") == (shown["files"], shown["id"], listed[0]["id"])


WITHDRAWN = "fal-ai/kling-video/v1/pro/text-to-video"


def test_a_withdrawn_endpoint_is_not_sent(world: World, fal: ScriptedFal) -> None:
    """As at creation, nothing is sent to an endpoint that fal has withdrawn; a result continues."""
    fal.answers = [answer(404, {"detail": "unknown application"})]
    world.add(endpoint=WITHDRAWN)
    world.pipeline.run(Task.SUBMIT, "job1")
    job, retry = world.job(), Retry(store=world.store)
    assert [False, False] == [retry.posts(job), retry.posts(job, resubmit=True)]
    for send in (retry.retry, retry.resubmit):
        with pytest.raises(NotRetryable, match=r"was withdrawn by fal.*use fal-ai/kling-video"):
            send(job)
    assert (S.FAILED, 1) == (world.state(), fal.count("POST"))
    assert S.RENDERED is retry.retry(replace(job, payload=VIDEO))
