"""Builds endpoints from the catalogue's tables: expands families and resolves names."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import BrokenCatalogue
from worker.catalogue.files.errors import did_you_mean, fault
from worker.catalogue.files.forms import CatalogueFile, FamilyForm, FieldForm, ModelForm
from worker.catalogue.inputs import Input, InputType, paths
from worker.catalogue.prices import Price
from worker.catalogue.validation.rules import Rule

if TYPE_CHECKING:
    from worker.catalogue.validation.json_schema import RequestSchema

T = TypeVar("T")
# What an input has as its form states it.
_SAME = frozenset(FieldForm.model_fields) - {"name", "type", "choices", "min_items", "rules"}


def models(tables: CatalogueFile) -> Iterator[Endpoint]:
    """Yield every endpoint of the tables. Raises BrokenCatalogue for a name without an entry."""
    for endpoint, form in tables.models.items():
        try:
            yield _model(tables, endpoint, form)
        except _Broken as broken:
            where = tables.where("models", endpoint)
            raise BrokenCatalogue(f"{where} {broken}") from None


def _model(tables: CatalogueFile, endpoint: str, form: ModelForm) -> Endpoint:
    family = _named(tables.families, form.family, "families") if form.family else FamilyForm()
    sources = form.source or tuple(tables.sources)[:1]
    fields = dict(_fields(tables, family, form))
    inputs = tuple(_input(tables, name, field) for name, field in fields.items())
    examples = family.example | form.example
    for name in () if form.additional else examples:
        _require(name, list(fields), f"example.{name}")
    return Endpoint(
        endpoint=endpoint,
        request_type=form.request_type,
        inputs=inputs,
        rules=_rules(inputs, [family, form, *fields.values()]),
        outputs=_outputs(family, form),
        price=_listed(tables, endpoint, _price(tables, form.price)),
        video_price=_price(tables, form.video_price),
        typical_seconds=form.typical_seconds,
        status=form.status,
        deprecated_at=form.deprecated_at,
        withdrawn_at=form.withdrawn_at,
        replaced_by=form.replaced_by,
        note=form.note,
        sources=tuple(_named(tables.sources, source, "sources") for source in sources),
        examples=examples,
        json_schema=None if form.json_schema is None else _schema(form.json_schema),
        unchecked=form.unchecked,
        additional=form.additional,
    )


def _schema(keywords: dict[str, Any]) -> "RequestSchema":
    # The packaged catalogue has none.
    from worker.catalogue.validation.json_schema import RequestSchema  # noqa: PLC0415

    return RequestSchema(keywords=keywords)


def _price(tables: CatalogueFile, name: str) -> Price | None:
    return _named(tables.prices, name, "prices") if name else None


def _listed(tables: CatalogueFile, endpoint: str, price: Price | None) -> Price | None:
    """Return the price with what fal's own list says about it."""
    listed = tables.fal_prices.get(endpoint)
    return price if listed is None else listed.applied(price)


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
    tables: CatalogueFile, family: FamilyForm, form: ModelForm
) -> Iterator[tuple[str, FieldForm]]:
    keys = [(key, True) for key in family.required + form.required]
    keys += [(key, False) for key in family.optional + form.optional]
    entries = [(_named(tables.fields, key, "fields"), key, required) for key, required in keys]
    names = [field.name or key for field, key, _ in entries]
    for name in (*family.inputs, *form.inputs):
        _require(name, names, f"inputs.{name}")
    for name, (field, _, required) in zip(names, entries, strict=True):
        changes: dict[str, Any] = family.inputs.get(name, {}) | form.inputs.get(name, {})
        if not changes:
            yield name, field.model_copy(update={"required": required})
            continue
        merged = field.model_dump(exclude_unset=True) | changes | {"required": required}
        yield name, _overridden(name, merged)


def _overridden(name: str, merged: Mapping[str, Any]) -> FieldForm:
    try:
        return FieldForm.model_validate(merged)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        raise _Broken(f"is invalid at {fault(first, above=('inputs', name))}") from invalid


def _input(tables: CatalogueFile, name: str, form: FieldForm, above: tuple[str, ...] = ()) -> Input:
    """Return the input; `above` are the types that enclose it."""
    nested: tuple[Input, ...] = ()
    scalar = form.type in set(InputType)
    if not scalar:
        members = _named(tables.types, form.type, "types")
        if form.type in above:
            raise _Broken(f'nests types.{form.type} inside itself; use the type "any" there')
        within = (*above, form.type)
        nested = tuple(_input(tables, member, field, within) for member, field in members.items())
    choices = form.choices
    same: dict[str, Any] = {member: getattr(form, member) for member in _SAME}
    return Input(
        **same,
        name=name,
        kind=InputType(form.type) if scalar else InputType.OBJECT,
        choices=_named(tables.choices, choices, "choices") if isinstance(choices, str) else choices,
        # A required list must not be empty.
        min_items=form.min_items or (1 if form.many and form.required else None),
        # In generated files a type is called endpoint:Type, so that it is unique.
        nested_type="" if scalar else form.type.partition(":")[2] or form.type,
        nested=nested,
        also_called=tuple(_synonyms(tables, name)),
    )


def _synonyms(tables: CatalogueFile, name: str) -> Iterator[str]:
    for group in tables.drift.names:
        if name in group:
            yield from (other for other in group if other != name)


class _Broken(Exception):
    """An invalid endpoint; the message completes its name."""


def _named(table: Mapping[str, T], name: str, where: str) -> T:
    _require(name, table, f"{where}.{name}")
    return table[name]


def _require(name: str, known: Collection[str], reference: str) -> None:
    if name not in known:
        raise _Broken(f"refers to {reference}, which does not exist{did_you_mean(name, known)}")
