"""What is wrong in a catalogue's file, in words: the key, its value, and what belongs there."""

from collections.abc import Collection, Mapping
from dataclasses import fields

from pydantic_core import ErrorDetails

from worker.catalogue.errors import shown
from worker.catalogue.files.forms import CatalogueFile, DriftForm, FamilyForm, FieldForm, ModelForm
from worker.catalogue.prices import Price
from worker.text import nearest

_KEYS: Mapping[str, Collection[str]] = {
    "fields": FieldForm.model_fields,
    "types": FieldForm.model_fields,
    "families": FamilyForm.model_fields,
    "models": ModelForm.model_fields,
    "prices": [one.name for one in fields(Price)],
    "drift": DriftForm.model_fields,
    "inputs": FieldForm.model_fields,
}
_RULES = "rules"


def fault(error: ErrorDetails, above: tuple[str, ...] = ()) -> str:
    """`models.a/b.famly: there is no such key; did you mean family?`

    `above` are the keys under which the form stands that pydantic looked at.
    """
    steps: list[str | int] = [*above, *error["loc"]]
    if _RULES in steps[2:]:
        # Behind the rule's number stands which kind of rule it was taken for.
        del steps[steps.index(_RULES, 2) + 2 : steps.index(_RULES, 2) + 3]
    where = ".".join(map(str, steps)) or "its top"
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            cure = did_you_mean(str(steps[-1]), _known(steps))
            return f"{where}: there is no such key{cure}"
        case "missing":
            return f"{where}: is required"
        case _:
            plain = isinstance(error["input"], str | int | float)
            value = f" {shown(error['input'])}" if plain else ""
            return f"{where}{value}: {error['msg']}"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`; did you mean …?`, or nothing where no known name is like it."""
    near = nearest(name, known)
    return f"; did you mean {near}?" if near is not None else ""


def _known(steps: list[str | int]) -> Collection[str]:
    """The keys that there are beside the last step."""
    if len(steps) == 1:
        return CatalogueFile.model_fields
    return () if _RULES in steps[2:] else _KEYS.get(str(steps[0]), ())
