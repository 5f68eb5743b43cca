"""The receiver's metrics: declared with their meaning, and true."""

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
    """Every sample, by metric and sample name with its label."""
    text = metrics.render().decode()
    return {
        family.name: {
            "".join((sample.name.removeprefix(family.name), *sample.labels.values())): sample.value
            for sample in family.samples
        }
        for family in text_string_to_metric_families(text)
    }


def test_every_metric_has_a_sentence() -> None:
    """HELP stands above each of ours."""
    text = Metrics(KeySet(_document), Capacity()).render().decode()
    lines = [line.split(maxsplit=3) for line in text.splitlines() if line.startswith("# HELP")]
    helped = {name: sentence for _, _, name, sentence in lines}
    ours = {name: sentence for name, sentence in helped.items() if name.startswith("falhook_")}
    assert 8 <= len(ours)
    assert [] == [name for name, sentence in ours.items() if not sentence.endswith(".")]


def test_every_outcome_is_there_from_the_start() -> None:
    """A counter that appears with its first event cannot be alerted on."""
    samples = rendered(Metrics(KeySet(_document), Capacity()))["falhook_callbacks"]
    assert {f"_total{outcome}": 0.0 for outcome in STATUS} == {
        name: value for name, value in samples.items() if name.startswith("_total")
    }


def test_answers_wakes_and_batches_are_counted() -> None:
    """Each under its own word, with the seconds it took."""
    metrics = Metrics(KeySet(_document), Capacity())
    metrics.answered("accepted", 0.004)
    metrics.answered("stale_timestamp", 0.001)
    metrics.batches.observe(3)
    metrics.woke(sent=True)
    metrics.woke(sent=False)
    metrics.woke(sent=False)
    found = rendered(metrics)
    assert [1.0, 1.0] == [
        found["falhook_callbacks"][f"_total{word}"] for word in ("accepted", "stale_timestamp")
    ]
    assert [2.0, 0.005] == [found["falhook_callback_seconds"][name] for name in ("_count", "_sum")]
    assert 3.0 == found["falhook_inbox_batch_size"]["_sum"]
    assert [1.0, 2.0] == [found["falhook_wakes"][f"_total{word}"] for word in ("yes", "no")]


def test_keys_and_room_are_shown_as_they_are() -> None:
    """Gauges read the things themselves, so that they cannot lag behind."""
    now = [100.0]
    keys, room = KeySet(_document, clock=lambda: now[0]), Capacity()
    metrics = Metrics(keys, room)
    assert float("inf") == rendered(metrics)["falhook_keys_age_seconds"][""]
    asyncio.run(keys.refresh())
    now[0] = 160.0
    room.enter()
    room.hold(1_000)
    found = rendered(metrics)
    assert [1.0, 60.0, 1.0, 1_000.0] == [
        found[name][""]
        for name in (
            "falhook_keys",
            "falhook_keys_age_seconds",
            "falhook_callbacks_under_way",
            "falhook_callbacks_bytes",
        )
    ]


def test_memory_is_shown() -> None:
    """Flat memory under load is something to be watched."""
    assert rendered(Metrics(KeySet(_document), Capacity()))["process_resident_memory_bytes"][""] > 0
