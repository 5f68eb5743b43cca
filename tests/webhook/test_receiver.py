"""The receiver under load, and its log."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis
from starlette.types import Message, Scope

from infra.local.supervisor.process_guard import ProcessGuard
from tests.bench.load import PROMPT, LoadPlan, Run
from tests.bench.programs import environment, server
from tests.factories.callbacks import (
    FAL_KEY,
    SECRET,
    Delivery,
    Host,
    host,
    jwks,
    receiver_settings,
    signed,
)
from tests.faults.waiting import until
from tests.webhook.test_app import REFUSED
from webhook.capacity import Capacity
from webhook.contract import INBOX
from webhook.inbox import Inbox
from webhook.log import EVENTS
from webhook.metrics import Metrics
from webhook.receiver import Receiver
from webhook.shards import all_keys
from webhook.verification.jwks import KeySet

pytestmark = pytest.mark.anyio
SECRET_PART = re.compile(r"\.([A-Za-z0-9_-]{43})")


@pytest.fixture
def anyio_backend() -> str:
    """The receiver runs on asyncio."""
    return "asyncio"


class _Unreachable(Inbox):
    """An inbox that no callback may reach."""

    def __init__(self) -> None:
        """Use no Redis."""

    async def put(self, job_id: str, callback: object) -> None:
        raise AssertionError(f"{job_id} reached the inbox")


async def answer(delivery: Delivery, capacity: Capacity) -> tuple[int, dict[bytes, bytes], object]:
    """Return status, headers and body that a receiver with this capacity answers."""

    async def document() -> bytes:
        return jwks(FAL_KEY)

    keys = KeySet(document)
    receiver = Receiver(
        settings=receiver_settings("redis://127.0.0.1:1/0", "https://rest.fal.ai/jwks.json"),
        keys=keys,
        inbox=_Unreachable(),
        metrics=Metrics(keys, capacity),
        capacity=capacity,
        sources=None,
        clock=time.time,
    )
    _, _, _, job_id, token = delivery.path.split("/")
    headers = [(name.lower().encode(), value.encode()) for name, value in delivery.headers.items()]
    scope: Scope = {
        "type": "http",
        "path_params": {"job_id": job_id, "token": token},
        "headers": headers,
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": delivery.body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await receiver(scope, receive, send)
    start, body = sent
    return start["status"], dict(start["headers"]), json.loads(body["body"])


@pytest.mark.parametrize("capacity", [Capacity(max_requests=0), Capacity(max_bytes=100)], ids=str)
async def test_a_callback_beyond_the_capacity_gets_503(capacity: Capacity) -> None:
    """The answer has Retry-After, and no request or byte stays reserved."""
    status, headers, body = await answer(signed(), capacity)
    assert (503, b"5", {"outcome": "overloaded"}) == (status, headers[b"retry-after"], body)
    assert (0, 0) == (capacity.requests, capacity.body_bytes)


@pytest.fixture
def key_host() -> Iterator[Host]:
    """fal's key host."""
    with host() as served:
        yield served


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file with all output of the receiver."""
    return tmp_path / "receiver.log"


@pytest.fixture
def client(redis_url: str, key_host: Host, log: Path) -> Iterator[httpx.Client]:
    """A client of `python -m webhook` in its own process."""
    guard = ProcessGuard()
    environ = environment(redis_url, key_host.url, log.parent)
    with (
        server(guard, ["webhook"], environ, log) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):
        yield client
    guard.close()


def test_no_secret_is_written_to_the_log(client: httpx.Client, log: Path) -> None:
    """Callbacks of every outcome and other requests leave no secret, prompt or body there."""
    deliveries = [make() for _, make in REFUSED.values()]
    prompted = json.dumps({"request_id": "r-9", "status": "OK", "payload": {"prompt": PROMPT}})
    deliveries += [signed(request_id="r-9", body=prompted.encode()), signed("job-2", user_id="who")]
    for delivery in deliveries:
        delivery.post(client)
        client.get(delivery.path)
        client.post("/nowhere" + delivery.path)
    lines = len(deliveries)
    until(lambda: log.read_text().count('"callback.received"') >= lines, "all are written", 10)
    written = log.read_text()
    hidden = [SECRET, PROMPT, "v3b.fal.media", "bench:bench"]
    hidden += [match[1] for d in deliveries if (match := SECRET_PART.search(d.path))]
    hidden += [d.headers.get("X-Fal-Webhook-Signature", SECRET) for d in deliveries]
    assert [] == [secret for secret in hidden if secret in written]


def test_each_callback_is_one_line(client: httpx.Client, log: Path) -> None:
    """Every line is a JSON object, an event in EVENTS or a library's; ours names the job."""
    for number in range(20):
        signed(f"job-{number}").post(client)
    until(lambda: log.read_text().count('"accepted"') == 20, "all lines are written", 10)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [] == [line for line in lines if "logger" not in line and line["event"] not in EVENTS]
    received = [line for line in lines if line["event"] == "callback.received"]
    expected = [("accepted", f"job-{number}") for number in range(20)]
    assert expected == [(line["outcome"], line["job"]) for line in received]


def test_an_unknown_account_is_logged(client: httpx.Client, log: Path) -> None:
    """The log shows the id for FALHOOK_FAL_USER_IDS, but only if the address is valid."""
    signed("job-1", user_id="team-77").post(client)
    signed("job-1", user_id="stranger", secret="another-secret-0000").post(client)
    client.get("/healthz")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    named = [line for line in lines if line["event"] == "callback.foreign_account"]
    assert [("job-1", "team-77")] == [(line["job"], line["account"]) for line in named]


def memory(client: httpx.Client) -> float:
    """Return the process's resident memory, in MB."""
    name = "process_resident_memory_bytes "
    [line] = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(line.split()[1]) / 2**20


def burst(client: httpx.Client, prefix: str, count: int) -> int:
    """Send `count` callbacks as fast as possible; return how many were accepted."""
    plan = LoadPlan(port=client.base_url.port or 80, prefix=prefix, count=count)
    return asyncio.run(Run(plan).result()).accepted


@pytest.mark.parametrize(
    "count", [2_000, pytest.param(100_000, marks=[pytest.mark.bench, pytest.mark.timeout(600)])]
)
def test_memory_stays_flat_under_a_burst(client: httpx.Client, redis_url: str, count: int) -> None:
    """All callbacks are stored; memory grows by less than 16 MB."""
    assert 1_000 == burst(client, "warm", 1_000)
    before = memory(client)
    step = 10_000
    sizes = [min(step, count - at) for at in range(0, count, step)]
    assert sizes == [burst(client, f"b{n}", size) for n, size in enumerate(sizes)]
    assert memory(client) - before < 16
    with Redis.from_url(redis_url) as redis:
        assert 1_000 + count == sum(map(redis.zcard, all_keys(INBOX)))
