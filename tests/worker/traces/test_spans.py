"""The spans of real histories: one root, no orphan, and nothing private."""

import pytest

from tests.factories.world import ScriptedFal, World, answer, callback
from webhook.contract import Task
from worker.errors import Permanent, Transient
from worker.jobs.change import Outcome
from worker.jobs.job import Job
from worker.operations.retry import Retry
from worker.traces.context import begun, parse
from worker.traces.spans import Span, spans_of

STEPS = ("falhook.submit", "falhook.render", "falhook.download", "falhook.transcode_tag")


def traced(job: Job) -> list[Span]:
    """Return the spans of a job."""
    context = parse(job.traceparent)
    assert context is not None
    return list(spans_of(job, context))


def submitted(world: World, traceparent: str = "") -> None:
    """Add a traced job and run its submit step."""
    arguments = {"prompt": "SECRET"}
    world.add(traceparent=traceparent or begun("job1").text, arguments=arguments)
    world.pipeline.run(Task.SUBMIT, "job1")


def published(world: World) -> Job:
    """Return a traced job that went all the way."""
    submitted(world)
    world.deliver(callback())
    world.follow_wakes()
    return world.job()


def test_a_job_is_one_trace(world: World) -> None:
    """Each step and the render are children of the one root, which lasts from first to last."""
    spans = traced(published(world))
    *children, root = spans
    assert (*STEPS, "falhook.publish") == tuple(span.name for span in children)
    assert ("falhook.job", "", "") == (root.name, root.parent, root.error)
    assert {root.id} == {span.parent for span in children}
    assert len(spans) == len({span.id for span in spans})
    assert all(root.began <= span.began <= span.ended <= root.ended for span in children)
    assert "SECRET" not in repr(spans)


def test_a_callers_span_is_the_parent(world: World) -> None:
    """The root of a job of a traced caller is a child of the caller's span."""
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    submitted(world, given)
    world.deliver(callback(status="ERROR", payload=None))
    assert ("b7ad6b7169203331", True) == (
        (root := traced(world.job())[-1]).parent,
        bool(root.error),
    )


def test_attempts_are_linked(world: World) -> None:
    """A step that is tried again has a span for each start; the later ones name the earlier."""
    failures = iter([Transient("storage_away", "it is away")])

    def work(_job: Job) -> Outcome:
        for failure in failures:
            raise failure
        raise Permanent("media_invalid", "it is not an MP4")

    world.work[Task.DOWNLOAD] = work
    submitted(world)
    world.deliver(callback())
    world.follow_wakes()
    world.clock.forward(1000)
    world.sweep.run()
    world.follow_wakes()
    first, second = [span for span in traced(world.job()) if span.name == "falhook.download"]
    assert ("storage_away", "media_invalid") == (first.error, second.error)
    assert ((), (first.id,)) == (first.links, second.links)
    assert second.waited == pytest.approx(first.ended, abs=0.01)


def test_a_continued_job_has_a_run_more(world: World, fal: ScriptedFal) -> None:
    """The second run is a child of the first, with spans of its own."""
    fal.answers.append(answer(422, {"detail": "no"}))
    submitted(world)
    first = traced(world.job())
    Retry(store=world.store).retry(world.job())
    world.pipeline.run(Task.SUBMIT, "job1")
    world.deliver(callback(attempt=world.job().attempt, request_id=world.job().request_id))
    world.follow_wakes()
    second = traced(world.job())
    assert (first[-1].id, "") == (second[-1].parent, second[-1].error)
    assert not {span.id for span in first} & {span.id for span in second}
