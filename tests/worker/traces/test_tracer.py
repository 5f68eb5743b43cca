"""Sending traces: to a real collector, to none at all, and without the extra."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import structlog

from tests import ROOT
from tests.factories.trace_collector import deaf, sink
from tests.factories.world import World, callback, request
from tests.faults.waiting import until
from tests.worker.traces.test_spans import published
from webhook.contract import Task
from webhook.log import get_logger
from worker.jobs.job import Job, JobState
from worker.notifications.sender import Answer
from worker.traces.context import begun
from worker.traces.tracer import Spans, Tracer, open_tracer


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


@pytest.mark.parametrize("accepts", [False, True])
def test_what_no_collector_takes_is_dropped(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    accepts: bool,
) -> None:
    """A closed port, or one that never answers: the trace is given up, and one line says so."""
    otlp = pytest.importorskip("worker.traces.otlp")
    monkeypatch.setattr(otlp, "_TIMEOUT", 0.1)
    job = published(world)
    with deaf(accepts=accepts) as url, structlog.testing.capture_logs() as logged:
        # One that has written nothing: another test of this process may have bound its stream.
        monkeypatch.setattr("worker.traces.tracer.log", get_logger())
        tracer = open_tracer(url, world.store.get)
        assert tracer is not None
        tracer.ended(job, job.state)
        until(lambda: bool(logged), "a line that counts it", 60)
        tracer.stop()
    assert {"traces.dropped"} == {line["event"] for line in logged}
    output = capsys.readouterr()
    assert "opentelemetry" not in output.out + output.err


def test_no_step_waits_for_a_collector(world: World) -> None:
    """While one trace hangs on its way, jobs go on to their end: only its own thread waits."""
    hangs, sent, threads = threading.Event(), threading.Event(), set()

    def export(_spans: Spans) -> bool:
        threads.add(threading.current_thread().name)
        sent.set()
        return hangs.wait(60)

    tracer = Tracer(export, world.store.get)
    world.ended = tracer.ended
    published(world)
    assert sent.wait(60)
    world.add("job2", traceparent=begun("job2").text)
    world.pipeline.run(Task.SUBMIT, "job2")
    world.deliver(callback(request_id=request(2)), job_id="job2")
    world.follow_wakes()
    assert (JobState.PUBLISHED, {"traces"}, False) == (
        world.state("job2"),
        threads,
        hangs.is_set(),
    )
    hangs.set()
    tracer.stop()


def test_what_waits_is_bounded(world: World) -> None:
    """A collector that hangs holds its thread alone: beyond the bound traces are dropped."""
    job = published(world)
    hangs, sent = threading.Event(), threading.Event()

    def export(_spans: Spans) -> bool:
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


def test_what_ends_together_is_sent_together(world: World) -> None:
    """Traces that wait for a slow request share the next one, each with its own spans."""
    job = published(world)
    world.add("job2", traceparent=begun("job2").text)
    sent: list[Spans] = []
    began, goes_on = threading.Event(), threading.Event()

    def export(spans: Spans) -> bool:
        sent.append(spans)
        began.set()
        return goes_on.wait(60)

    tracer = Tracer(export, world.store.get)
    tracer.ended(job, job.state)
    assert began.wait(60)
    tracer.ended(job, job.state)
    tracer.ended(world.job("job2"), JobState.FAILED)
    goes_on.set()
    until(lambda: len(sent) == 2, "a second request", 60)
    jobs = [{str(span.attributes["falhook.job"]) for _, span in each} for each in sent]
    assert [{"job1"}, {"job1", "job2"}] == jobs
    assert len({context.trace for context, _ in sent[1]}) == 2


@pytest.mark.parametrize("state", [JobState.RENDERED, JobState.QUEUED])
def test_only_ends_are_sent(state: JobState) -> None:
    """A job on its way is not read."""
    read: list[str] = []

    def get(job_id: str) -> Job | None:
        read.append(job_id)
        return None

    tracer = Tracer(lambda _spans: True, get)
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
