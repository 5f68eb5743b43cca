"""The limits of inputs that an endpoint's description leaves out and the catalogue knew."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.catalogue.inputs import Input, InputType
from worker.catalogue.openapi.keywords import Form
from worker.catalogue.phrases import reach, span

_WORDS = frozenset({InputType.TEXT, InputType.STRING})
_NUMBERS = frozenset({InputType.INTEGER, InputType.NUMBER})
_LOW, _HIGH = ("minimum", "exclusive_minimum"), ("maximum", "exclusive_maximum")
_Limits = Iterator[tuple[dict[str, Any], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedInputs:
    """A description's inputs, with their forms by name, which are changed, and its types."""

    inputs: tuple[Input, ...]
    fields: Mapping[str, Form]
    types: Mapping[str, Mapping[str, Form]]

    def keep_of_files(self, before: tuple[Input, ...]) -> Iterator[str]:
        """Sizes and formats of files, which no schema holds; yields each for people."""
        yield from self._keep(before, _of_files)

    def keep_of_values(self, before: tuple[Input, ...]) -> Iterator[str]:
        """Lengths, counts and ranges where the description states none; yields each for people.

        A bound that the description states stays as it is, and an input that became one of
        another kind has none of the older one's.
        """
        yield from self._keep(before, _of_values)

    def _keep(
        self, before: tuple[Input, ...], limits: Callable[[Input, Input], _Limits], above: str = ""
    ) -> Iterator[str]:
        described = {item.name: item for item in self.inputs}
        for item in (item for item in before if item.name in described):
            newer, field = described[item.name], self.fields[item.name]
            for bounds, words in limits(item, newer):
                field |= bounds
                yield f"{above}{item.name} {words.strip()}"
            members = self.types.get(field["type"], {})
            below = DescribedInputs(inputs=newer.nested, fields=members, types=self.types)
            step = f"{above}{item.name}[]." if newer.many else f"{above}{item.name}."
            yield from below._keep(item.nested, limits, step)


def _of_files(item: Input, _: Input) -> _Limits:
    if item.max_megabytes is not None:
        yield {"max_megabytes": item.max_megabytes}, f"of at most {item.max_megabytes} MB"
    if item.formats:
        yield {"formats": list(item.formats)}, f"as {' or '.join(item.formats)}"


def _of_values(item: Input, newer: Input) -> _Limits:
    if item.many and newer.many and (found := _unstated(item, newer, ["min_items"], ["max_items"])):
        yield found, span(found.get("min_items"), found.get("max_items"), " item")
    if item.many != newer.many or newer.choices:
        return
    kinds = {item.kind, newer.kind}
    if kinds <= _WORDS or kinds == {InputType.URL}:
        if found := _unstated(item, newer, ["min_length"], ["max_length"]):
            yield found, span(found.get("min_length"), found.get("max_length"), " character")
    elif kinds <= _NUMBERS and (found := _unstated(item, newer, _LOW, _HIGH)):
        low, above, high, below = (found.get(name) for name in (*_LOW, *_HIGH))
        yield found, reach(low, above, high, below)


def _unstated(item: Input, newer: Input, low: Sequence[str], high: Sequence[str]) -> dict[str, Any]:
    """The ends that `newer` leaves open as they were, unless nothing would lie between them."""
    lows, highs = _bounds(newer, low), _bounds(newer, high)
    least, most = lows or _bounds(item, low), highs or _bounds(item, high)
    if least and most and max(least.values()) > min(most.values()):
        return {}
    return ({} if lows else least) | ({} if highs else most)


def _bounds(item: Input, names: Sequence[str]) -> dict[str, Any]:
    return {name: bound for name in names if (bound := getattr(item, name)) is not None}
