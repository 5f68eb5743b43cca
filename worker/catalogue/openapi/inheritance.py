"""Adds to a new description what the catalogue already knows: price, rules and limits."""

from dataclasses import asdict, dataclass

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.files import build
from worker.catalogue.files.forms import CatalogueFile, ModelForm
from worker.catalogue.files.reader import checked
from worker.catalogue.inputs import paths
from worker.catalogue.openapi.inherited_limits import DescribedInputs
from worker.catalogue.openapi.keywords import Form
from worker.catalogue.validation.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance:
    """The tables of a catalogue file; sentences for what they inherited and what was lost."""

    entry: Form
    kept: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def inherit(
    entry: Form, endpoint: str, tables: CatalogueFile, packaged: Endpoint | None
) -> Inheritance:
    """Return the entry, extended by what `tables` says about its endpoint.

    A rule that names an input which the entry does not have is lost. The price is inherited by
    name, so that later changes of its row apply. If the row in `tables` is an older description,
    limits come from `packaged`, because fal may have lifted the others. Raises BrokenCatalogue for
    an invalid entry.
    """
    (added,) = build.models(checked(entry, f"the description of {endpoint}"))
    before = next((model for model in build.models(tables) if model.endpoint == endpoint), None)
    if before is None:
        return Inheritance(entry=entry)
    rules, lost = _partition(before.rules, set(paths(added.inputs)))
    rules = [rule for rule in rules if not any(_same(rule, other) for other in added.rules)]
    row = entry["models"][endpoint]
    row |= _row(before, added, [*rules, *added.rules], tables.models[endpoint])
    fields = {field["name"]: field for field in entry["fields"].values()}
    described = DescribedInputs(inputs=added.inputs, fields=fields, types=entry["types"])
    is_update = set(row["source"]) & set(tables.models[endpoint].source)
    limiting = packaged if is_update else before
    limits = [
        *described.inherit_file_limits(before.inputs),
        *described.inherit_value_limits(limiting.inputs if limiting else ()),
    ]
    price = (f"price {before.price_sentence}",) if before.price else ()
    kept = (*price, *(rule.sentence for rule in rules), *limits)
    return Inheritance(entry=entry, kept=kept, lost=tuple(rule.sentence for rule in lost))


def _partition(rules: tuple[Rule, ...], known: set[str]) -> tuple[list[Rule], list[Rule]]:
    fits = [rule for rule in rules if known.issuperset(rule.names)]
    return fits, [rule for rule in rules if rule not in fits]


def _same(rule: Rule, other: Rule) -> bool:
    return type(rule) is type(other) and set(rule.names) == set(other.names)


def _row(before: Endpoint, added: Endpoint, rules: list[Rule], form: ModelForm) -> Form:
    names = {item.name for item in added.inputs}
    row = {
        "price": form.price,
        "video_price": form.video_price,
        "typical_seconds": form.typical_seconds,
        "rules": [{key: value for key, value in asdict(rule).items() if value} for rule in rules],
        "example": {name: value for name, value in before.examples.items() if name in names},
    }
    return {key: value for key, value in row.items() if value}
