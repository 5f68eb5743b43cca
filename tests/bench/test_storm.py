"""With the broker stopped and workers killed under load, no accepted callback is lost."""

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.local.redis.server import RedisServer
from infra.local.supervisor.process_guard import ProcessGuard
from tests.bench.jobs import Ledger
from tests.bench.load import LoadPlan, Result, Run
from tests.bench.programs import BEAT, WORKER, celery, environment, server
from tests.factories.callbacks import host

RATE = 100.0
# Seconds between SIGKILLs of a worker: long enough to start and to take messages.
LIFE = 4.0


def _kill_workers(environ: Mapping[str, str], log: Path, ended: threading.Event) -> None:
    guard = ProcessGuard()
    while not ended.is_set():
        with celery(guard, WORKER, environ, log) as process:
            ended.wait(LIFE)
            process.kill()
    guard.close()


def _stop(broker: RedisServer, begin: float, seconds: float) -> None:
    pause = threading.Event()
    pause.wait(begin)
    os.kill(broker.pid, signal.SIGSTOP)
    pause.wait(seconds / 2)
    broker.kill()
    pause.wait(seconds / 2)
    broker.restart()


@pytest.mark.bench
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seconds", [10.0, 60.0])
def test_every_accepted_callback_is_ingested(tmp_path: Path, seconds: float) -> None:
    """The broker hangs, dies and returns, and workers die every few seconds: all are ingested."""
    plan = LoadPlan(port=0, prefix="storm", count=int(RATE * (seconds + 20)), rate=RATE)
    with ExitStack() as stack:
        records = stack.enter_context(RedisServer.start(tmp_path / "records"))
        broker = stack.enter_context(RedisServer.start(tmp_path / "broker"))
        jwks_url = stack.enter_context(host()).url
        environ = {
            **environment(records.url, jwks_url, tmp_path),
            "FALHOOK_BROKER_URL": broker.url,
        }
        ledger = Ledger(records.url)
        stack.callback(ledger.close)
        ledger.add(plan)
        guard = ProcessGuard()
        stack.callback(guard.close)
        port = stack.enter_context(server(guard, ["webhook"], environ, tmp_path / "web.log"))
        ended = threading.Event()
        threads = [
            threading.Thread(target=_kill_workers, args=(environ, tmp_path / "w.log", ended)),
            threading.Thread(target=_stop, args=(broker, 5.0, seconds)),
        ]
        for thread in threads:
            thread.start()
        try:
            ledger.accepted = _load(plan, port).accepted
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        stack.enter_context(celery(guard, BEAT, environ, tmp_path / "beat.log"))
        stack.enter_context(celery(guard, WORKER, environ, tmp_path / "w.log"))
        ledger.ingest()
        assert (plan.count, plan.count) == (ledger.accepted, ledger.ingested)


def _load(plan: LoadPlan, port: int) -> Result:
    sent = LoadPlan(port=port, prefix=plan.prefix, count=plan.count, rate=plan.rate)
    return asyncio.run(Run(sent).result())
