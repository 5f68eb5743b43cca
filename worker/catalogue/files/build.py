"""From the catalogue's files to models: families unfolded, names looked up."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import BrokenCatalogue
from worker.catalogue.files.errors import did_you_mean, fault
from worker.catalogue.files.forms import CatalogueFile, FamilyForm, FieldForm, ModelForm
from worker.catalogue.inputs import Input, InputType, paths
from worker.catalogue.validation.rules import Rule

T = TypeVar("T")


def models(sheet: CatalogueFile) -> Iterator[Endpoint]:
    """Every endpoint of the sheet. Raises BrokenCatalogue where a name leads nowhere."""
    for endpoint, form in sheet.models.items():
        try:
            yield _model(sheet, endpoint, form)
        except _Broken as broken:
            where = sheet.where("models", endpoint)
            raise BrokenCatalogue(f"{where} {broken}") from None


def _model(sheet: CatalogueFile, endpoint: str, form: ModelForm) -> Endpoint:
    family = _named(sheet.families, form.family, "families") if form.family else FamilyForm()
    sources = form.source or tuple(sheet.sources)[:1]
    fields = dict(_fields(sheet, family, form))
    inputs = tuple(_input(sheet, name, field) for name, field in fields.items())
    examples = family.example | form.example
    for name in () if form.additional else examples:
        _require(name, list(fields), f"example.{name}")
    return Endpoint(
        endpoint=endpoint,
        request_type=form.request_type,
        inputs=inputs,
        rules=_rules(inputs, [family, form, *fields.values()]),
        outputs=_outputs(family, form),
        price=_named(sheet.prices, form.price, "prices") if form.price else None,
        status=form.status,
        replaced_by=form.replaced_by,
        sources=tuple(_named(sheet.sources, source, "sources") for source in sources),
        examples=examples,
        unchecked=form.unchecked,
        additional=form.additional,
    )


def _outputs(family: FamilyForm, form: ModelForm) -> dict[str, str]:
    stated = family.outputs if form.outputs is None else form.outputs
    return {"video": "file"} if stated is None else stated


def _rules(inputs: tuple[Input, ...], forms: Iterable[FamilyForm | FieldForm]) -> tuple[Rule, ...]:
    rules = tuple(rule for form in forms for rule in form.rules)
    known = list(paths(inputs))
    for name in (name for rule in rules for name in rule.names):
        _require(name, known, f"the input {name} in a rule")
    return rules


def _fields(
    sheet: CatalogueFile, family: FamilyForm, form: ModelForm
) -> Iterator[tuple[str, FieldForm]]:
    keys = [(key, True) for key in family.required + form.required]
    keys += [(key, False) for key in family.optional + form.optional]
    found = [(_named(sheet.fields, key, "fields"), key, required) for key, required in keys]
    names = [field.name or key for field, key, _ in found]
    for name in (*family.inputs, *form.inputs):
        _require(name, names, f"inputs.{name}")
    for name, (field, _, required) in zip(names, found, strict=True):
        changes: dict[str, Any] = family.inputs.get(name, {}) | form.inputs.get(name, {})
        merged = field.model_dump(exclude_unset=True) | changes | {"required": required}
        yield name, _changed(name, merged)


def _changed(name: str, merged: Mapping[str, Any]) -> FieldForm:
    try:
        return FieldForm.model_validate(merged)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        told = fault(first, above=("inputs", name))
        raise _Broken(f"is wrong at {told}") from invalid


def _input(sheet: CatalogueFile, name: str, form: FieldForm, above: tuple[str, ...] = ()) -> Input:
    """The input; `above` are the types within which it stands."""
    nested: tuple[Input, ...] = ()
    plain = form.type in set(InputType)
    if not plain:
        members = _named(sheet.types, form.type, "types")
        if form.type in above:
            raise _Broken(f'holds types.{form.type} within itself; give it the type "any" there')
        within = (*above, form.type)
        nested = tuple(_input(sheet, member, field, within) for member, field in members.items())
    choices = form.choices
    bounds = form.model_dump(exclude={"name", "type", "choices", "min_items", "rules"})
    return Input(
        **bounds,
        name=name,
        kind=InputType(form.type) if plain else InputType.OBJECT,
        choices=_named(sheet.choices, choices, "choices") if isinstance(choices, str) else choices,
        # A list that has to be given has to hold something.
        min_items=form.min_items or (1 if form.many and form.required else None),
        # Types of generated files are called endpoint:Type, to be nobody else's.
        nested_type="" if plain else form.type.partition(":")[2] or form.type,
        nested=nested,
        also_called=tuple(_drifted(sheet, name)),
    )


def _drifted(sheet: CatalogueFile, name: str) -> Iterator[str]:
    for group in sheet.drift.names:
        if name in group:
            yield from (other for other in group if other != name)


class _Broken(Exception):
    """What is wrong with an endpoint, behind its name."""


def _named(table: Mapping[str, T], name: str, where: str) -> T:
    _require(name, table, f"{where}.{name}")
    return table[name]


def _require(name: str, known: Collection[str], told: str) -> None:
    if name not in known:
        raise _Broken(f"names {told}, which is not there{did_you_mean(name, known)}")
