"""Metrics read back from the text format."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: bytes | str) -> Samples:
    """Return each sample of falhook's own by its name and labels."""
    text = text.decode() if isinstance(text, bytes) else text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("falhook_")
    }


def value(found: Samples, name: str, **labels: str) -> float | None:
    """Return the value of one sample; None if there is none."""
    return found.get((name, frozenset(labels.items())))
