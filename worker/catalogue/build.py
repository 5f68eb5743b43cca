"""From the catalogue's files to models: families unfolded, names looked up."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from worker.catalogue.errors import BrokenCatalogue
from worker.catalogue.inputs import Input, Kind, paths
from worker.catalogue.model import Model
from worker.catalogue.rules import Rule
from worker.catalogue.sheet import FamilyForm, FieldForm, ModelForm, Sheet

T = TypeVar("T")


def models(sheet: Sheet) -> Iterator[Model]:
    """Every endpoint of the sheet. Raises BrokenCatalogue where a name leads nowhere."""
    for endpoint, form in sheet.models.items():
        try:
            yield _model(sheet, endpoint, form)
        except _Missing as missing:
            raise BrokenCatalogue(
                f"models.{endpoint} names {missing}, which is not there"
            ) from None
        except ValidationError as invalid:
            raise BrokenCatalogue(f"models.{endpoint}.inputs is wrong: {invalid}") from invalid


def _model(sheet: Sheet, endpoint: str, form: ModelForm) -> Model:
    family = _named(sheet.families, form.family, "families") if form.family else FamilyForm()
    sources = form.source or tuple(sheet.sources)[:1]
    fields = dict(_fields(sheet, family, form))
    inputs = tuple(_input(sheet, name, field) for name, field in fields.items())
    return Model(
        endpoint=endpoint,
        request_type=form.request_type,
        inputs=inputs,
        rules=_rules(inputs, [family, form, *fields.values()]),
        outputs=_outputs(family, form),
        price=_named(sheet.prices, form.price, "prices") if form.price else None,
        status=form.status,
        replaced_by=form.replaced_by,
        sources=tuple(_named(sheet.sources, source, "sources") for source in sources),
        examples=family.example | form.example,
        unchecked=form.unchecked,
        additional=form.additional,
    )


def _outputs(family: FamilyForm, form: ModelForm) -> dict[str, str]:
    stated = family.outputs if form.outputs is None else form.outputs
    return {"video": "file"} if stated is None else stated


def _rules(inputs: tuple[Input, ...], forms: Iterable[FamilyForm | FieldForm]) -> tuple[Rule, ...]:
    rules = tuple(rule for form in forms for rule in form.rules)
    known = set(paths(inputs))
    unknown = (name for rule in rules for name in rule.names if name not in known)
    for name in unknown:
        raise _Missing(f"the input {name} in a rule")
    return rules


def _fields(sheet: Sheet, family: FamilyForm, form: ModelForm) -> Iterator[tuple[str, FieldForm]]:
    keys = [(key, True) for key in family.required + form.required]
    keys += [(key, False) for key in family.optional + form.optional]
    for key, required in keys:
        field = _named(sheet.fields, key, "fields")
        name = field.name or key
        changes: dict[str, Any] = family.inputs.get(name, {}) | form.inputs.get(name, {})
        merged = field.model_dump(exclude_unset=True) | changes | {"required": required}
        yield name, FieldForm.model_validate(merged)


def _input(sheet: Sheet, name: str, form: FieldForm) -> Input:
    nested: tuple[Input, ...] = ()
    plain = form.type in set(Kind)
    if not plain:
        members = _named(sheet.types, form.type, "types")
        nested = tuple(_input(sheet, member, field) for member, field in members.items())
    choices = form.choices
    bounds = form.model_dump(exclude={"name", "type", "choices", "min_items", "rules"})
    return Input(
        **bounds,
        name=name,
        kind=Kind(form.type) if plain else Kind.OBJECT,
        choices=_named(sheet.choices, choices, "choices") if isinstance(choices, str) else choices,
        # A list that has to be given has to hold something.
        min_items=form.min_items or (1 if form.many and form.required else None),
        # Types of generated files are called endpoint:Type, to be nobody else's.
        nested_type="" if plain else form.type.partition(":")[2] or form.type,
        nested=nested,
        also_called=tuple(_drifted(sheet, name)),
    )


def _drifted(sheet: Sheet, name: str) -> Iterator[str]:
    for group in sheet.drift.names:
        if name in group:
            yield from (other for other in group if other != name)


class _Missing(Exception):
    """A name that no table has."""


def _named(table: Mapping[str, T], name: str, where: str) -> T:
    if name not in table:
        raise _Missing(f"{where}.{name}")
    return table[name]
