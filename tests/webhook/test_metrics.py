"""The receiver's metrics."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from tests.factories.callbacks import FAL_KEY, jwks
from webhook.capacity import Capacity
from webhook.metrics import Metrics
from webhook.responses import STATUS
from webhook.verification.jwks import KeySet


async def _document() -> bytes:
    return jwks(FAL_KEY)


def rendered(metrics: Metrics) -> dict[str, dict[str, float]]:
    """Return every sample, by metric and by sample name with its label."""
    text = metrics.render().decode()
    return {
        family.name: {
            "".join((sample.name.removeprefix(family.name), *sample.labels.values())): sample.value
            for sample in family.samples
        }
        for family in text_string_to_metric_families(text)
    }


def test_every_metric_has_a_sentence() -> None:
    """Each of our metrics has a HELP line that ends with a full stop."""
    text = Metrics(KeySet(_document), Capacity()).render().decode()
    lines = [line.split(maxsplit=3) for line in text.splitlines() if line.startswith("# HELP")]
    helps = {name: sentence for _, _, name, sentence in lines if name.startswith("falhook_")}
    assert 8 <= len(helps)
    assert [] == [name for name, sentence in helps.items() if not sentence.endswith(".")]


def test_every_outcome_has_a_counter_from_the_start() -> None:
    """Counters start at zero: alerts need a value before the first event."""
    samples = rendered(Metrics(KeySet(_document), Capacity()))["falhook_callbacks"]
    assert {f"_total{outcome}": 0.0 for outcome in STATUS} == {
        name: value for name, value in samples.items() if name.startswith("_total")
    }


def test_answers_wakes_and_batches_are_counted() -> None:
    """Each is counted under its own label; answers also with their seconds."""
    metrics = Metrics(KeySet(_document), Capacity())
    metrics.count_answer("accepted", 0.004)
    metrics.count_answer("stale_timestamp", 0.001)
    metrics.batches.observe(3)
    metrics.count_wake(sent=True)
    metrics.count_wake(sent=False)
    metrics.count_wake(sent=False)
    samples = rendered(metrics)
    assert [1.0, 1.0] == [
        samples["falhook_callbacks"][f"_total{label}"] for label in ("accepted", "stale_timestamp")
    ]
    seconds = samples["falhook_callback_seconds"]
    assert [2.0, 0.005] == [seconds[name] for name in ("_count", "_sum")]
    assert 3.0 == samples["falhook_inbox_batch_size"]["_sum"]
    assert [1.0, 2.0] == [samples["falhook_wakes"][f"_total{label}"] for label in ("yes", "no")]


def test_keys_and_capacity_are_read_when_rendered() -> None:
    """Gauges show the current state of keys and capacity."""
    now = [100.0]
    keys, capacity = KeySet(_document, clock=lambda: now[0]), Capacity()
    metrics = Metrics(keys, capacity)
    assert float("inf") == rendered(metrics)["falhook_keys_age_seconds"][""]
    asyncio.run(keys.refresh())
    now[0] = 160.0
    capacity.enter()
    capacity.hold(1_000)
    samples = rendered(metrics)
    assert [1.0, 60.0, 1.0, 1_000.0] == [
        samples[name][""]
        for name in (
            "falhook_keys",
            "falhook_keys_age_seconds",
            "falhook_callbacks_under_way",
            "falhook_callbacks_bytes",
        )
    ]


def test_resident_memory_is_shown() -> None:
    """The process's memory is among the metrics."""
    assert rendered(Metrics(KeySet(_document), Capacity()))["process_resident_memory_bytes"][""] > 0
