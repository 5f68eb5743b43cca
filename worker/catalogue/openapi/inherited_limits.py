"""Limits of inputs that a description omits and the catalogue already knows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.catalogue.inputs import Input, InputType
from worker.catalogue.openapi.keywords import Form
from worker.catalogue.phrases import limits, span

_STRINGS = frozenset({InputType.TEXT, InputType.STRING})
_NUMBERS = frozenset({InputType.INTEGER, InputType.NUMBER})
_LOW, _HIGH = ("minimum", "exclusive_minimum"), ("maximum", "exclusive_maximum")
_Limits = Iterator[tuple[dict[str, Any], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedInputs:
    """The inputs and types of a description; inherited limits are written into `fields`."""

    inputs: tuple[Input, ...]
    fields: Mapping[str, Form]
    types: Mapping[str, Mapping[str, Form]]

    def inherit_file_limits(self, before: tuple[Input, ...]) -> Iterator[str]:
        """Copy sizes and formats of files, which no schema states; yield each as a phrase."""
        yield from self._inherit(before, _file_limits)

    def inherit_value_limits(self, before: tuple[Input, ...]) -> Iterator[str]:
        """Copy lengths, counts and ranges that the description omits; yield each as a phrase.

        Bounds in the description win. An input of a changed kind inherits nothing.
        """
        yield from self._inherit(before, _value_limits)

    def _inherit(
        self, before: tuple[Input, ...], read: Callable[[Input, Input], _Limits], above: str = ""
    ) -> Iterator[str]:
        described = {item.name: item for item in self.inputs}
        for item in (item for item in before if item.name in described):
            newer, field = described[item.name], self.fields[item.name]
            for bounds, phrase in read(item, newer):
                field |= bounds
                yield f"{above}{item.name} {phrase.strip()}"
            members = self.types.get(field["type"], {})
            nested = DescribedInputs(inputs=newer.nested, fields=members, types=self.types)
            prefix = f"{above}{item.name}[]." if newer.many else f"{above}{item.name}."
            yield from nested._inherit(item.nested, read, prefix)


def _file_limits(item: Input, _: Input) -> _Limits:
    if item.max_megabytes is not None:
        yield {"max_megabytes": item.max_megabytes}, f"of at most {item.max_megabytes} MB"
    if item.formats:
        yield {"formats": list(item.formats)}, f"as {' or '.join(item.formats)}"
    sizes = {name: getattr(item, name) for name in ("min_side", "max_side", "max_ratio")}
    if item.dimensions:
        kept = {name: value for name, value in sizes.items() if value is not None}
        yield kept, f"with {item.dimensions}"


def _value_limits(item: Input, newer: Input) -> _Limits:
    if item.many and newer.many and (ends := _unstated(item, newer, ["min_items"], ["max_items"])):
        yield ends, span(ends.get("min_items"), ends.get("max_items"), " item")
    if item.many != newer.many or newer.choices:
        return
    kinds = {item.kind, newer.kind}
    if kinds <= _STRINGS or kinds == {InputType.URL}:
        if ends := _unstated(item, newer, ["min_length"], ["max_length"]):
            yield ends, span(ends.get("min_length"), ends.get("max_length"), " character")
    elif kinds <= _NUMBERS and (ends := _unstated(item, newer, _LOW, _HIGH)):
        low, above, high, below = (ends.get(name) for name in (*_LOW, *_HIGH))
        yield ends, limits(low, above, high, below)


def _unstated(item: Input, newer: Input, low: Sequence[str], high: Sequence[str]) -> dict[str, Any]:
    """Return the bounds of `item` that `newer` omits; none if they would leave an empty range."""
    lows, highs = _bounds(newer, low), _bounds(newer, high)
    least, most = lows or _bounds(item, low), highs or _bounds(item, high)
    if least and most and max(least.values()) > min(most.values()):
        return {}
    return ({} if lows else least) | ({} if highs else most)


def _bounds(item: Input, names: Sequence[str]) -> dict[str, Any]:
    return {name: bound for name in names if (bound := getattr(item, name)) is not None}
