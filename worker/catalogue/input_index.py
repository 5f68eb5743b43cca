"""The endpoints that accept each input name, to suggest one for an input passed elsewhere."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import takewhile

from worker.catalogue.inputs import Input, paths


class InputIndex:
    """The endpoints of a catalogue by the paths of their inputs, such as `elements[].video_url`."""

    def __init__(self, inputs: Mapping[str, tuple[Input, ...]] | None = None) -> None:
        self._endpoints: defaultdict[str, list[str]] = defaultdict(list)
        for endpoint, declared in (inputs or {}).items():
            for path in paths(declared):
                self._endpoints[path].append(endpoint)

    def endpoint_for(self, path: str, like: str) -> str:
        """Return the endpoint most similar to `like` that accepts an input at this path, or ""."""
        endpoints = self._endpoints.get(path, ())
        return max(endpoints, key=lambda endpoint: _similarity(endpoint, like), default="")


def _similarity(endpoint: str, other: str) -> tuple[int, int, float]:
    """Return a sort key: shared leading steps, then shared trailing steps, then similarity."""
    # Imported when a name is wrong.
    from difflib import SequenceMatcher  # noqa: PLC0415

    steps, others = endpoint.split("/"), other.split("/")
    ratio = SequenceMatcher(a=endpoint, b=other, autojunk=False).ratio()
    return _shared_prefix(steps, others), _shared_prefix(steps[::-1], others[::-1]), ratio


def _shared_prefix(steps: list[str], others: list[str]) -> int:
    pairs = zip(steps, others, strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
