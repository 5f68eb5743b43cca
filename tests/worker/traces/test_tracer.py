"""Sending traces: to a real collector, to none at all, and without the extra."""

import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import ROOT
from tests.factories.world import World
from tests.worker.traces.sink import sink
from tests.worker.traces.test_spans import published
from worker.jobs.job import Job, JobState
from worker.notifications.sender import Answer
from worker.traces.context import TraceContext, begun
from worker.traces.spans import Span
from worker.traces.tracer import Tracer, open_tracer


def test_a_collector_gets_one_whole_trace(world: World) -> None:
    """All spans of a job and its last delivery: one trace, one root, and no orphan."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    job = published(world)
    with sink() as collector:
        tracer = open_tracer(collector.url, world.store.get)
        assert tracer is not None
        tracer.ended(job, job.state)
        tracer.told(job, job.state, 1, world.clock(), Answer(status=200, seconds=0.1))
        spans = collector.wait("falhook.notify")
        tracer.stop()
    [root] = [span for span in spans if not span.parent_span_id]
    assert ("falhook.job", 7, 1) == (root.name, len(spans), len({s.trace_id for s in spans}))
    ids = {span.span_id for span in spans}
    assert all(span.parent_span_id in ids for span in spans if span is not root)
    assert job.traceparent.split("-")[2] == root.span_id.hex()
    submit = next(span for span in spans if span.name == "falhook.submit")
    assert ["waited"] == [event.name for event in submit.events]


def test_a_collector_that_is_away_slows_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Jobs go on at once, what cannot be sent is dropped, and one line says how many."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    job = published(world)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1/traces"
    tracer = open_tracer(url, world.store.get)
    assert tracer is not None
    for _ in range(3):
        tracer.ended(job, job.state)
    output = capsys.readouterr()
    assert "opentelemetry" not in output.out + output.err


def test_what_waits_is_bounded(world: World) -> None:
    """A collector that hangs holds its thread alone: beyond the bound traces are dropped."""
    job = published(world)
    hangs, sent = threading.Event(), threading.Event()

    def export(_context: TraceContext, _spans: Sequence[Span]) -> bool:
        sent.set()
        return hangs.wait(60)

    tracer = Tracer(export, world.store.get, most=2)
    tracer.ended(job, job.state)
    assert sent.wait(60)
    for _ in range(50):
        tracer.ended(job, job.state)
    # The first of them was logged at once.
    assert 47 == tracer.dropped
    hangs.set()


@pytest.mark.parametrize("state", [JobState.RENDERED, JobState.QUEUED])
def test_only_ends_are_sent(state: JobState) -> None:
    """A job on its way is not read."""
    read: list[str] = []

    def get(job_id: str) -> Job | None:
        read.append(job_id)
        return None

    tracer = Tracer(lambda _context, _spans: True, get)
    trace = begun("job1").text
    job = Job(id="job1", endpoint="e", arguments={}, traceparent=trace)
    tracer.ended(job, state)
    tracer.ended(Job(id="job2", endpoint="e", arguments={}), JobState.PUBLISHED)
    tracer.stop()
    assert [] == read


def test_nothing_is_imported_without_the_setting(tmp_path: Path) -> None:
    """The whole pipeline is loaded, and nothing of OpenTelemetry."""
    program = "import sys, worker.app; print('\\n'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # redis-py imports the other parts, where they are installed.
    ours = ("worker.traces.otlp", "opentelemetry.exporter")
    assert [] == [name for name in loaded.stdout.split() if name.startswith(ours)]
    assert open_tracer("", lambda _: None) is None
