"""Which endpoints take an input of which name, for whoever gives one to the wrong endpoint."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from itertools import takewhile

from worker.catalogue.inputs import Input


class Names:
    """The inputs' names of a whole catalogue; those of nested ones are `elements.video_url`."""

    def __init__(self, inputs: Mapping[str, tuple[Input, ...]] | None = None) -> None:
        self._takers: defaultdict[str, list[str]] = defaultdict(list)
        for endpoint, declared in (inputs or {}).items():
            for name in _names(declared):
                self._takers[name].append(endpoint)

    def taker(self, name: str, asking: str) -> str:
        """The endpoint most like `asking` that takes an input of that name; "" if none does."""
        takers = self._takers.get(name, ())
        return max(takers, key=lambda taker: _likeness(taker, asking), default="")


def _likeness(one: str, other: str) -> tuple[int, int, float]:
    """Version and tier before the rest: they are the steps that two ids begin and end with."""
    steps, others = one.split("/"), other.split("/")
    ratio = SequenceMatcher(a=one, b=other, autojunk=False).ratio()
    return _shared(steps, others), _shared(steps[::-1], others[::-1]), ratio


def _shared(steps: list[str], others: list[str]) -> int:
    pairs = zip(steps, others, strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _names(inputs: Iterable[Input]) -> Iterator[str]:
    for item in inputs:
        yield item.name
        yield from (f"{item.name}.{below}" for below in _names(item.nested))
