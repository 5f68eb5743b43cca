"""Which endpoints take an input of which name, for whoever gives one to the wrong endpoint."""

from collections import defaultdict
from collections.abc import Mapping
from difflib import SequenceMatcher
from itertools import takewhile

from worker.catalogue.inputs import Input, paths


class InputIndex:
    """The inputs of a whole catalogue by their path, such as `elements[].video_url`."""

    def __init__(self, inputs: Mapping[str, tuple[Input, ...]] | None = None) -> None:
        self._takers: defaultdict[str, list[str]] = defaultdict(list)
        for endpoint, declared in (inputs or {}).items():
            for path in paths(declared):
                self._takers[path].append(endpoint)

    def endpoint_for(self, path: str, asking: str) -> str:
        """The endpoint most like `asking` that takes an input of that path; "" if none does."""
        takers = self._takers.get(path, ())
        return max(takers, key=lambda taker: _likeness(taker, asking), default="")


def _likeness(one: str, other: str) -> tuple[int, int, float]:
    """Version and tier before the rest: they are the steps that two ids begin and end with."""
    steps, others = one.split("/"), other.split("/")
    ratio = SequenceMatcher(a=one, b=other, autojunk=False).ratio()
    return _shared(steps, others), _shared(steps[::-1], others[::-1]), ratio


def _shared(steps: list[str], others: list[str]) -> int:
    pairs = zip(steps, others, strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
