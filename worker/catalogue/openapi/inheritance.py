"""What an endpoint's description does not say and the catalogue knew: price, rules, limits."""

from dataclasses import asdict, dataclass

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.files import build
from worker.catalogue.files.forms import CatalogueFile
from worker.catalogue.files.reader import checked
from worker.catalogue.inputs import paths
from worker.catalogue.openapi.inherited_limits import DescribedInputs
from worker.catalogue.openapi.keywords import Form
from worker.catalogue.validation.rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Inheritance:
    """The tables of a catalogue file, with what they took over, and what found no place in them."""

    entry: Form
    kept: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def inherit(
    entry: Form, endpoint: str, sheet: CatalogueFile, packaged: Endpoint | None
) -> Inheritance:
    """The entry with what `sheet` says of its endpoint beyond a description.

    A rule that speaks of an input which the entry has not is lost. The price is taken over by its
    name, so that it stays the sheet's. Where the sheet's own row is an older description, limits
    are those of `packaged`: fal may have lifted the others. Raises BrokenCatalogue for an entry
    that makes no endpoint.
    """
    (added,) = build.models(checked(entry, f"the description of {endpoint}"))
    before = next((one for one in build.models(sheet) if one.endpoint == endpoint), None)
    if before is None:
        return Inheritance(entry=entry)
    rules, lost = _parted(before.rules, set(paths(added.inputs)))
    rules = [rule for rule in rules if not any(_same(rule, one) for one in added.rules)]
    row = entry["models"][endpoint]
    row |= _row(before, added, [*rules, *added.rules], sheet.models[endpoint].price)
    fields = {field["name"]: field for field in entry["fields"].values()}
    described = DescribedInputs(inputs=added.inputs, fields=fields, types=entry["types"])
    older = set(row["source"]) & set(sheet.models[endpoint].source)
    limiting = packaged if older else before
    limits = [
        *described.keep_of_files(before.inputs),
        *described.keep_of_values(limiting.inputs if limiting else ()),
    ]
    price = (f"price {before.price_sentence}",) if before.price else ()
    kept = (*price, *(rule.sentence for rule in rules), *limits)
    return Inheritance(entry=entry, kept=kept, lost=tuple(rule.sentence for rule in lost))


def _parted(rules: tuple[Rule, ...], known: set[str]) -> tuple[list[Rule], list[Rule]]:
    fits = [rule for rule in rules if known.issuperset(rule.names)]
    return fits, [rule for rule in rules if rule not in fits]


def _same(one: Rule, other: Rule) -> bool:
    return type(one) is type(other) and set(one.names) == set(other.names)


def _row(before: Endpoint, added: Endpoint, rules: list[Rule], price: str) -> Form:
    names = {item.name for item in added.inputs}
    row = {
        "price": price,
        "rules": [{key: value for key, value in asdict(rule).items() if value} for rule in rules],
        "example": {name: value for name, value in before.examples.items() if name in names},
    }
    return {key: value for key, value in row.items() if value}
