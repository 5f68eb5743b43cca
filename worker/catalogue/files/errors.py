"""Error messages for the catalogue's files: the key, its value and the correction."""

from collections.abc import Collection, Mapping
from dataclasses import fields

from pydantic_core import ErrorDetails

from worker.catalogue.errors import shown
from worker.catalogue.files.forms import CatalogueFile, DriftForm, FamilyForm, FieldForm, ModelForm
from worker.catalogue.prices import Price
from worker.catalogue.unit_prices import UnitPrice
from worker.text import nearest

_KEYS: Mapping[str, Collection[str]] = {
    "fields": FieldForm.model_fields,
    "types": FieldForm.model_fields,
    "families": FamilyForm.model_fields,
    "models": ModelForm.model_fields,
    "prices": [field.name for field in fields(Price)],
    "fal_prices": [field.name for field in fields(UnitPrice)],
    "drift": DriftForm.model_fields,
    "inputs": FieldForm.model_fields,
}
_RULES = "rules"


def fault(error: ErrorDetails, above: tuple[str, ...] = ()) -> str:
    """Return a message such as `models.a/b.famly: unknown key; did you mean family?`.

    `above` are the keys that enclose the form validated by pydantic.
    """
    steps: list[str | int] = [*above, *error["loc"]]
    if _RULES in steps[2:]:
        # The step after the rule's index is the tag of its union, which is not a key.
        del steps[steps.index(_RULES, 2) + 2 : steps.index(_RULES, 2) + 3]
    where = ".".join(map(str, steps)) or "the top level"
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"{where}: unknown key{did_you_mean(str(steps[-1]), _known(steps))}"
        case "missing":
            return f"{where}: is required"
        case _:
            scalar = isinstance(error["input"], str | int | float)
            value = f" {shown(error['input'])}" if scalar else ""
            return f"{where}{value}: {error['msg'].replace('Input should be', 'must be')}"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return `; did you mean …?`, or "" if no known name is similar."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near is not None else ""


def _known(steps: list[str | int]) -> Collection[str]:
    """Return the valid keys in place of the last step."""
    if len(steps) == 1:
        return CatalogueFile.model_fields
    return () if _RULES in steps[2:] else _KEYS.get(str(steps[0]), ())
