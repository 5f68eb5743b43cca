"""Rules between inputs as JSON Schema.

A rule that JSON Schema cannot express has none: the number of values in lists within lists.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from worker.catalogue.inputs import Input
from worker.catalogue.validation.rules import AtMost, ExactlyOne, Needs, Rule, SomeOf

Schema = dict[str, Any]

_EACH = "[]."
# Ways to share out the values that a rule allows; more of them would be no help to a reader.
_MOST_WAYS = 64
_PASSED: Schema = {"minLength": 1, "minItems": 1, "minProperties": 1}


def rule_schema(rule: Rule, inputs: Mapping[str, Input]) -> Schema | None:
    """Return what the arguments must satisfy besides; None if that cannot be expressed."""
    match rule:
        case ExactlyOne(exactly_one=names):
            blank = {name: {"pattern": r"\S"} for name in names}
            return {"oneOf": [_required(name) for name in names], "properties": blank}
        case Needs(input=name, needs=needed, equal=equal):
            then = {**_required(needed), "properties": {needed: {"const": equal}}}
            return {"if": _required(name), "then": then}
        case AtMost():
            return _at_most(rule, inputs)
        case SomeOf(each=name, some_of=members) if name in inputs:
            some = [{**_required(each), "properties": {each: _PASSED}} for each in members]
            form: Schema = {"anyOf": some}
            return {"properties": {name: {"items": form} if inputs[name].many else form}}
    return None


def _required(name: str) -> Schema:
    return {"required": [name]}


def _at_most(rule: AtMost, inputs: Mapping[str, Input]) -> Schema | None:
    shares = list(islice(_shares(rule.at_most, len(rule.of)), _MOST_WAYS + 1))
    ways = [
        [_bounded(path, inputs, most) for path, most in zip(rule.of, share, strict=True)]
        for share in shares
    ]
    if len(shares) > _MOST_WAYS or any(None in way for way in ways):
        return None
    schema: Schema = {"anyOf": [_all(way) for way in ways]} if len(ways) > 1 else _all(ways[0])
    if not rule.when:
        return schema
    condition = _some(rule.when, inputs)
    return {"if": condition, "then": schema} if condition else None


def _all(schemas: Sequence[Schema | None]) -> Schema:
    stated = [schema for schema in schemas if schema]
    return stated[0] if len(stated) == 1 else {"allOf": stated} if stated else {}


def _shares(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield each way to write `total` as a sum of so many numbers."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _shares(total - first, parts - 1):
            yield (first, *rest)


def _bounded(path: str, inputs: Mapping[str, Input], most: int) -> Schema | None:
    """Return that there are at most so many values at the path; None if that has no schema."""
    name, _, member = path.partition(_EACH)
    if name not in inputs:
        return {}
    if member:
        found = _single(inputs[name], member)
        if found is None:
            return None
        counted = {"contains": _required(member), "minContains": 0, "maxContains": most}
        return {"properties": {name: counted}}
    if inputs[name].many:
        return {"properties": {name: {"maxItems": most}}}
    return {} if most else {"not": _required(name)}


def _single(item: Input, member: str) -> Input | None:
    """Return the member of a list's objects, if it is one value in each."""
    found = next((each for each in item.nested if each.name == member), None)
    return found if item.many and found is not None and not found.many else None


def _some(path: str, inputs: Mapping[str, Input]) -> Schema | None:
    """Return that there is a value at the path."""
    name, _, member = path.partition(_EACH)
    if name not in inputs:
        return None
    if member:
        if _single(inputs[name], member) is None:
            return None
        return {**_required(name), "properties": {name: {"contains": _required(member)}}}
    if inputs[name].many:
        return {**_required(name), "properties": {name: {"minItems": 1}}}
    return _required(name)
