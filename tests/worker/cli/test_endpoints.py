"""`falhook endpoints` and `falhook deliveries`: who is told, and what came of it."""

import json
from collections.abc import Iterator

import pytest

from tests.factories.cli import FOX, Run, submitted
from tests.factories.notifications import Told, told
from tests.factories.receivers_of_webhooks import Receiver, Reply, receiver
from tests.factories.world import SECRET, ManualClock
from webhook.contract import Queue
from worker.jobs.job import JobState

HERE = {"FALHOOK_SECRET": SECRET, "FALHOOK_NOTIFY_LOOPBACK": "1"}


@pytest.fixture
def target() -> Iterator[Receiver]:
    """A receiver."""
    with receiver() as running:
        yield running


@pytest.fixture
def deployment(redis_url: str) -> Iterator[Told]:
    """The notifier on the Redis of the command line."""
    clock = ManualClock(1_900_000_000.0)
    with told(redis_url, clock) as created:
        yield created


def added(run: Run, *arguments: str) -> dict[str, object]:
    """Add an endpoint and return what was printed."""
    result = run("endpoints", "add", *arguments, "--json", **HERE)
    assert 0 == result.exit_code, result.stderr
    made: dict[str, object] = json.loads(result.stdout)
    return made


def lines(run: Run, *arguments: str) -> list[dict[str, object]]:
    """Return the lines of JSON that a command prints."""
    result = run(*arguments, "--json", **HERE)
    assert 0 == result.exit_code, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_secret_is_shown_once(run: Run, target: Receiver) -> None:
    """`add` prints it alone; nothing else prints it again."""
    result = run("endpoints", "add", target.url, "--description", "shop", **HERE)
    assert 0 == result.exit_code, result.stderr
    secret = result.stdout.strip()
    assert secret.startswith("whsec_")
    assert "whpk_" in result.stderr
    [listed] = lines(run, "endpoints", "list")
    shown = run("endpoints", "show", str(listed["id"]), **HERE).stdout
    assert secret not in shown + json.dumps(listed)
    assert "shop" in run("endpoints", "list", **HERE).stdout


def test_a_sample_is_signed(run: Run, target: Receiver) -> None:
    """`test` sends a sample that the reference library verifies, and shows the answer."""
    made = added(run, target.url)
    [sample] = lines(run, "endpoints", "test", str(made["id"]))
    assert (200, "") == (sample["status"], sample["error"])
    content = target.received[0].verified(str(made["secret"]))
    assert ("endpoint.test", made["id"]) == (content["type"], content["data"]["id"])
    target.answer = lambda _request: Reply(500, body=b"no disk")
    failed = run("endpoints", "test", str(made["id"]), **HERE)
    assert 1 == failed.exit_code
    assert "answered 500" in failed.stdout
    assert "no disk" in failed.stdout


def test_keys_are_rotated(run: Run, target: Receiver) -> None:
    """After `rotate` a sample verifies with both secrets."""
    made = added(run, target.url)
    [new] = lines(run, "endpoints", "rotate", str(made["id"]))
    assert new["secret"] != made["secret"]
    lines(run, "endpoints", "test", str(made["id"]))
    [request] = target.received
    assert request.verified(str(made["secret"])) == request.verified(str(new["secret"]))


def test_endpoints_are_switched(run: Run, target: Receiver) -> None:
    """`disable`, `enable` and `remove` say what they did."""
    made = added(run, target.url, "--event", "job.published", "--ordered")
    name = str(made["id"])
    assert (["job.published"], True) == (made["events"], made["ordered"])
    assert 0 == run("endpoints", "disable", name, **HERE).exit_code
    assert "disabled" == lines(run, "endpoints", "list")[0]["state"]
    assert 0 == run("endpoints", "enable", name, **HERE).exit_code
    assert "enabled" == lines(run, "endpoints", "list")[0]["state"]
    assert 0 == run("endpoints", "remove", name, **HERE).exit_code
    assert [] == lines(run, "endpoints", "list")
    gone = run("endpoints", "show", name, **HERE)
    assert (2, True) == (gone.exit_code, f"Endpoint {name} does not exist" in gone.stderr)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("https://127.0.0.1/",), "not a public address"),
        (("http://hooks.example.com/",), "needs https"),
        (("https://hooks.example.com/", "--event", "job.done"), "not a type of event"),
        ((), "Give the URL"),
        (("https://hooks.example.com/", "--for-jobs"), "Give the URL"),
    ],
)
def test_what_cannot_be_added(run: Run, arguments: tuple[str, ...], why: str) -> None:
    """A wrong endpoint is refused with the correction."""
    result = run("endpoints", "add", *arguments, FALHOOK_SECRET=SECRET)
    assert 2 == result.exit_code
    assert why in result.stderr


def test_deliveries_are_listed_and_sent_again(run: Run, target: Receiver, deployment: Told) -> None:
    """The list has each attempt; a message is sent again under its id, one or all of them."""
    target.answer = lambda _request: Reply(410, body=b"gone for good")
    made = added(run, target.url)
    deployment.fail("job1")
    deployment.notifier.run()
    [listed] = lines(run, "deliveries", "--state", "dead")
    assert (f"{made['id']}.job1.1", "gone for good") == (listed["id"], listed["answer"])
    text = run("deliveries", "--job", "job1", **HERE).stdout
    assert "410 gone" in text
    assert "gone for good" in text
    refused = run("deliveries", "resend", str(listed["id"]), **HERE)
    assert (2, True) == (refused.exit_code, "enable it first" in refused.stderr)
    run("endpoints", "enable", str(made["id"]), **HERE)
    target.answer = lambda _request: Reply(200)
    assert [{"resent": 1}] == lines(run, "deliveries", "resend", str(listed["id"]))
    deployment.notifier.run()
    since = ("--endpoint", str(made["id"]), "--since", "1h")
    assert [{"resent": 0}] == lines(run, "deliveries", "resend", *since)
    assert [{"resent": 1}] == lines(run, "deliveries", "resend", *since, "--delivered")
    deployment.notifier.run()
    assert (3, 1) == (len(target.received), len({each.id for each in target.received}))
    [last] = lines(run, "deliveries", "--endpoint", str(made["id"]), "--state", "delivered")
    attempts = last["attempts"]
    assert isinstance(attempts, list)
    assert [410, 200, 200] == [each["status"] for each in attempts]


def test_what_cannot_be_sent_again(run: Run) -> None:
    """Unknown deliveries and half of a wish are refused."""
    for arguments in (("ep_x.job1.1",), ("nonsense",), (), ("--since", "1h")):
        assert 2 == run("deliveries", "resend", *arguments, **HERE).exit_code


def test_a_job_names_an_address(run: Run, target: Receiver, deployment: Told) -> None:
    """`submit --notify` needs keys of the tenant; with them, that address is told of the end."""
    refused = run("submit", *FOX, "--notify", target.url, **HERE)
    assert (2, True) == (refused.exit_code, "falhook endpoints add --for-jobs" in refused.stderr)
    made = added(run, "--for-jobs")
    result = run("submit", *FOX, "--notify", target.url, "--json", **HERE)
    assert 0 == result.exit_code, result.stderr
    job = json.loads(result.stdout)["id"]
    deployment.move(job, JobState.FAILED)
    deployment.notifier.run()
    [request] = target.received
    assert job == request.verified(str(made["secret"]))["data"]["id"]
    wrong = run("submit", *FOX, "--notify", "https://10.0.0.1/?token=secret", **HERE)
    assert (2, False) == (wrong.exit_code, "token" in wrong.stderr)


def test_an_address_needs_no_more_than_before(run: Run) -> None:
    """Jobs without receivers are created as before."""
    assert "QUEUED" == submitted(run, *FOX)["state"]


def test_commands_wake_the_notifier(run: Run, target: Receiver, deployment: Told) -> None:
    """Cancelling a job, retrying one and sending again each leave a message for the notifier."""

    def messages() -> int:
        # A notifier takes the message, and what rang for it.
        deployment.notifier.fan_out.run(deployment.notifier.fan_out.outbox.rung())
        found = deployment.redis.llen(Queue.NOTIFY)
        deployment.redis.delete(Queue.NOTIFY)
        return int(str(found))

    added(run, target.url, "--event", "job.*")
    job = str(submitted(run, *FOX)["id"])
    assert 1 == messages()
    ready = {**HERE, "FAL_KEY": "id:secret"}
    cancelled = run("cancel", job, **ready)
    assert (0, 1) == (cancelled.exit_code, messages()), cancelled.stderr
    retried = run("retry", job, "--yes", **ready)
    assert (0, 1) == (retried.exit_code, messages()), retried.stderr
    deployment.notifier.run()
    resent = run("deliveries", "resend", str(lines(run, "deliveries")[0]["id"]), **HERE)
    assert (0, 1) == (resent.exit_code, messages()), resent.stderr
