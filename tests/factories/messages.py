"""Celery messages in tests."""

from collections.abc import Mapping
from typing import Any

# What Celery makes anew for each message: ids in headers and properties.
_OWN = frozenset({"id", "root_id", "correlation_id", "delivery_tag"})


def without_ids(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message, or a part of one, without what no two messages share."""
    return {
        name: without_ids(each) if isinstance(each, dict) else each
        for name, each in entry.items()
        if name not in _OWN
    }
