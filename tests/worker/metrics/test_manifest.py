"""The manifest: nothing is shown that it does not declare, and nothing is declared in vain."""

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.factories.world import World, callback
from webhook.capacity import Capacity
from webhook.contract import Task
from webhook.metrics import Metrics
from webhook.responses import STATUS
from webhook.shards import shard_key
from webhook.verification.jwks import KeySet
from worker.jobs.change import Change
from worker.jobs.counts import Ingested
from worker.jobs.days import day_of
from worker.jobs.job import JobState
from worker.metrics.exporter import Exporter
from worker.metrics.manifest import Declared, Family, Undeclared, manifest
from worker.notifications.endpoint import endpoint_key


async def no_keys() -> bytes:
    """Answer for fal's key server."""
    return b"{}"


def shown(text: bytes) -> dict[str, tuple[str, frozenset[str]]]:
    """Return type and labels of each metric."""
    return {
        family.name: (
            family.type,
            frozenset(label for each in family.samples for label in each.labels) - {"le"},
        )
        for family in text_string_to_metric_families(text.decode())
        # When a counter was made, which prometheus_client adds.
        if not family.name.endswith("_created")
    }


def declared(process: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return type and labels of each metric that a process should show."""
    return {
        each.name: (each.type, frozenset(each.labels))
        for each in manifest().values()
        if process in each.process.split(", ")
    }


def test_the_exporter_shows_what_is_declared(world: World) -> None:
    """After jobs that cost and that ended, and an event that is owed, all are there, no other."""
    world.add("job1", estimate={"usd": 1.4}, owes="RENDERED")
    world.pipeline.run(Task.SUBMIT, "job1")
    world.deliver(callback())
    world.add("job2")
    world.store.change("job2", JobState, Change(to=JobState.CANCELLED))
    today = shard_key(0, f"day:{day_of(time.time())}")
    world.store.redis.hset(today, "n|acme|some/endpoint", 1)
    world.store.redis.sadd("falhook:{notify}:tenants", "acme")
    world.store.redis.sadd("falhook:{notify}:of:acme", "ep_one")
    world.store.redis.zadd(endpoint_key("ep_one", "dead"), {"job1:1": time.time()})
    exporter = Exporter(world.store.redis, tenants=1)
    assert exporter.fold()
    assert declared("metrics") == shown(exporter.text())


def test_the_receiver_shows_what_is_declared() -> None:
    """Its metrics are those of the manifest, by type and labels, and so are its answers."""
    metrics = Metrics(KeySet(no_keys, host="keys.example.com"), Capacity())
    metrics.count_answer("accepted", 0.1)
    assert declared("web") == shown(metrics.render())
    assert manifest()["falhook_callbacks"].labels == {"outcome": STATUS.keys()}
    assert manifest()["falhook_ingested_callbacks"].labels == {"outcome": frozenset(Ingested)}


def test_what_is_not_declared_raises() -> None:
    """A metric, a label or a value of one that the manifest does not have is an error."""
    with pytest.raises(Undeclared, match="falhook_made_up is not in"):
        Family("falhook_made_up")
    with pytest.raises(Undeclared, match="has the labels state"):
        Family("falhook_jobs").add(1, tenant="acme")
    with pytest.raises(Undeclared, match="'NOWHERE' is no value of state"):
        Family("falhook_jobs").add(1, state="NOWHERE")


@pytest.mark.parametrize("metric", manifest().values(), ids=lambda each: each.name)
def test_names_follow_prometheus(metric: Declared) -> None:
    """A unit ends the name; https://prometheus.io/docs/practices/naming/."""
    assert metric.type in {"counter", "gauge", "histogram"}
    if metric.unit in {"seconds", "bytes"}:
        assert metric.name.endswith(f"_{metric.unit}")
