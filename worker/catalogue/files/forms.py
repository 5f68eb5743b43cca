"""The schema of the catalogue's files; unknown keys and wrong types are rejected."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    PrivateAttr,
    Tag,
)
from pydantic_core import PydanticCustomError

from worker.catalogue.endpoint import Status
from worker.catalogue.prices import Price
from worker.catalogue.unit_prices import UnitPrice
from worker.catalogue.validation.rules import KINDS, AtMost, ExactlyOne, Needs, SomeOf
from worker.formats.media_types import BY_EXTENSION


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _key(rule: object) -> str | None:
    """Return the key by which the kind of the rule is recognized."""
    keys = rule if isinstance(rule, Mapping) else getattr(rule, "__dataclass_fields__", ())
    return next((key for key in KINDS if key in keys), None)


_RuleForm = Annotated[
    Annotated[ExactlyOne, Tag("exactly_one")]
    | Annotated[Needs, Tag("needs")]
    | Annotated[AtMost, Tag("at_most")]
    | Annotated[SomeOf, Tag("some_of")],
    Discriminator(
        _key,
        custom_error_type="no_rule",
        custom_error_message=f"must have one of the keys {', '.join(KINDS)}",
    ),
]


class FieldForm(_Form):
    """An input; `type` is an InputType or the name of a nested type."""

    name: str = ""
    type: str
    many: bool = False
    required: bool = False
    default: str | int | float | bool | None = None
    choices: tuple[str | int | float, ...] | str = ()
    minimum: int | FiniteFloat | None = None
    maximum: int | FiniteFloat | None = None
    exclusive_minimum: int | FiniteFloat | None = None
    exclusive_maximum: int | FiniteFloat | None = None
    min_length: NonNegativeInt | None = None
    max_length: NonNegativeInt | None = None
    min_items: NonNegativeInt | None = None
    max_items: NonNegativeInt | None = None
    max_megabytes: PositiveInt | None = None
    min_side: PositiveInt | None = None
    max_side: PositiveInt | None = None
    max_ratio: Annotated[FiniteFloat, Field(ge=1)] | None = None
    formats: tuple[Literal[*BY_EXTENSION], ...] = ()  # type: ignore[valid-type]
    description: str = ""
    example: Any = None
    rules: tuple[_RuleForm, ...] = ()
    unchecked: tuple[str, ...] = ()
    additional: bool = False


class FamilyForm(_Form):
    """What several endpoints share: inputs by the key of their field, rules, outputs."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    inputs: dict[str, dict[str, Any]] = {}
    rules: tuple[_RuleForm, ...] = ()
    outputs: dict[str, str] | None = None
    example: dict[str, Any] = {}


class ModelForm(FamilyForm):
    """An endpoint, with what it adds to its family."""

    request_type: str = ""
    family: str = ""
    price: str = ""
    video_price: str = ""
    typical_seconds: PositiveInt | None = None
    status: Status = Status.LISTED
    deprecated_at: date | None = None
    withdrawn_at: date | None = None
    replaced_by: str = ""
    note: str = ""
    source: tuple[str, ...] = ()
    json_schema: dict[str, Any] | None = None
    unchecked: tuple[str, ...] = ()
    additional: bool = False


class DriftForm(_Form):
    """Groups of input names with the same meaning in different versions."""

    names: tuple[tuple[str, ...], ...] = ()


def _checked(price: Price) -> Price:
    """Return the price if its rates are in range, or raise PydanticCustomError."""
    if price.per_second < 0:
        values = {"rate": str(price.per_second)}
        raise PydanticCustomError("rate", 'per_second "{rate}" must be 0 or more', values)
    variants = {"first": price.first, "silent": price.silent, "voice": price.voice}
    variants |= {f"resolutions.{name}": rate for name, rate in price.resolutions.items()}
    for name, rate in variants.items():
        if rate is not None and rate <= 0:
            values = {"name": name, "rate": str(rate)}
            raise PydanticCustomError("rate", '{name} "{rate}" must be above 0 or left out', values)
    if price.least_outputs < 0:
        values = {"least": str(price.least_outputs)}
        raise PydanticCustomError("rate", "least_outputs {least} must be 0 or more", values)
    return price


class CatalogueFile(_Form):
    """The tables of one file of the catalogue, or of all files merged."""

    sources: dict[str, str] = {}
    choices: dict[str, tuple[str, ...]] = {}
    fields: dict[str, FieldForm] = {}
    types: dict[str, dict[str, FieldForm]] = {}
    prices: dict[str, Annotated[Price, AfterValidator(_checked)]] = {}
    families: dict[str, FamilyForm] = {}
    models: dict[str, ModelForm] = {}
    fal_prices: dict[str, UnitPrice] = {}
    drift: DriftForm = DriftForm()
    _origins: Mapping[tuple[str, str], Path] = PrivateAttr(default_factory=dict)

    def read_from(self, origins: Mapping[tuple[str, str], Path]) -> Self:
        """Record the file of each table's key for `where`; return self."""
        self._origins = origins
        return self

    def where(self, table: str, key: str) -> str:
        """Return `own.toml: models.a/b`; without the file if it was not read from one."""
        file = self._origins.get((table, key))
        return f"{file}: {table}.{key}" if file else f"{table}.{key}"
