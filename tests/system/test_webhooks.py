"""Webhooks and traces from outside: receivers verify what comes, a collector gets whole traces."""

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from celery import Celery

from tests.factories.node_reference import NODE, verified_in_node
from tests.factories.receivers_of_webhooks import Received, receiver
from tests.factories.trace_collector import Sink, sink
from tests.system.test_system import FILES, TEXT, System, stack

CALLER, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OF_A_TRACE = {
    "falhook.job",
    "falhook.submit",
    "falhook.render",
    "falhook.download",
    "falhook.transcode_tag",
    "falhook.publish",
    "falhook.notify",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A stack, the secret that signs for addresses of its jobs, and what collects its traces."""

    system: System
    secret: str
    collector: Sink

    def create(self, headers: Mapping[str, str], **fields: object) -> str:
        """Create a job over HTTP and return its id."""
        environ = self.system.environ
        request = urllib.request.Request(
            f"{environ['FALHOOK_API_URL']}/v1/jobs",
            json.dumps({"endpoint": TEXT, "arguments": {"prompt": "A fox"}, **fields}).encode(),
            {
                "Authorization": f"Bearer {environ['FALHOOK_API_KEY']}",
                "Content-Type": "application/json",
                **headers,
            },
        )
        with urllib.request.urlopen(request) as answer:
            return str(json.load(answer)["id"])

    def trace(self, trace: str, *names: str) -> list[Any]:
        """Wait until spans with these names have come of a trace, and return those that came."""

        def of_it(spans: Sequence[Any]) -> list[Any]:
            return [span for span in spans if span.trace_id.hex() == trace]

        return of_it(
            self.collector.wait_until(
                lambda spans: set(names) <= {span.name for span in of_it(spans)}
            )
        )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A stack that sends traces, for the tests of this module."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    directory = tmp_path_factory.mktemp("stack") / "local"
    with (
        sink() as collector,
        stack(directory, "--render-seconds", "0.5", FALHOOK_TRACES_URL=collector.url) as system,
    ):
        [keys] = system.falhook("endpoints", "add", "--for-jobs")
        yield Office(system=system, secret=str(keys["secret"]), collector=collector)


def test_a_job_is_a_part_of_its_callers_trace(office: Office) -> None:
    """From the creation over HTTP to the delivery of its end: one trace, and nothing private."""
    with receiver() as own:
        parent = {"traceparent": f"00-{CALLER}-{SPAN}-01"}
        job_id = office.create(parent, notify=own.url)
        spans = office.trace(CALLER, *OF_A_TRACE)
        own.wait_for(1)
    [root] = [span for span in spans if span.name == "falhook.job"]
    assert (SPAN, OF_A_TRACE) == (root.parent_span_id.hex(), {span.name for span in spans})
    assert {root.span_id} == {span.parent_span_id for span in spans if span is not root}
    assert {job_id} == {
        each.value.string_value
        for span in spans
        for each in span.attributes
        if each.key == "falhook.job"
    }
    names = ("FALHOOK_SECRET", "FAL_KEY", "FALHOOK_API_KEY", "REDIS_URL", "FALHOOK_STORAGE_URL")
    private = [*(office.system.environ[name] for name in names), "A fox", own.url, office.secret]
    assert [] == [text for text in private if text in "".join(map(str, spans))]


def test_a_message_brings_its_trace(office: Office) -> None:
    """The header of a Celery message does as that of HTTP; without one, a job begins a trace."""
    client = Celery(broker=office.system.environ["REDIS_URL"])
    trace = CALLER[::-1]
    client.send_task(
        "falhook.create",
        kwargs={"endpoint": TEXT, "arguments": {"prompt": "A fox"}},
        queue="falhook.submit",
        headers={"traceparent": f"00-{trace}-{SPAN}-01"},
    )
    alone = office.system.submit()
    [root] = [span for span in office.trace(trace, "falhook.job") if span.name == "falhook.job"]
    assert SPAN == root.parent_span_id.hex()

    def is_its_root(span: Any) -> bool:
        values = {each.value.string_value for each in span.attributes}
        return alone in values and span.name == "falhook.job" and not span.parent_span_id

    office.collector.wait_until(lambda spans: any(map(is_its_root, spans)))


def test_receivers_are_told(office: Office) -> None:
    """A worker tells a standing endpoint and a job's own address; both verify what came."""
    system = office.system
    with receiver() as standing, receiver() as own:
        [made] = system.falhook("endpoints", "add", standing.url, "--event", "job.*")
        document = json.dumps({"prompt": "A fox"})
        [job] = system.falhook("submit", TEXT, "--arguments", document, "--notify", own.url)
        [ended] = system.ended(str(job["id"]))
        assert "PUBLISHED" == ended["state"]
        [told] = own.wait_for(1)
        content = told.verified(office.secret)
        assert ("job.published", job["id"]) == (content["type"], content["data"]["id"])
        assert FILES == sorted(each["name"] for each in content["data"]["files"])

        def numbers(received: Sequence[Received]) -> set[int]:
            told_of = [each.verified(str(made["secret"]))["data"] for each in received]
            return {data["n"] for data in told_of if data["id"] == job["id"]}

        every = set(range(1, content["data"]["n"] + 1))
        assert len(every) >= 6
        standing.wait_until(lambda received: numbers(received) == every)
        if NODE:
            assert content == verified_in_node(office.secret, told.headers, told.body)
