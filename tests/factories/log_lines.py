"""The log of a process, read back."""

import json
from typing import Any


def events(written: str) -> list[dict[str, Any]]:
    """Every line as the object that it must be."""
    return [json.loads(line) for line in written.splitlines()]


def refusals(written: str) -> list[str]:
    """The sentences with which a process refused to start; it must have written nothing else."""
    lines = events(written)
    assert ["process.refused"] * len(lines) == [line["event"] for line in lines]
    return [str(line["sentence"]) for line in lines]
