"""Pydantic models that validate arguments, built from the declared inputs of an endpoint."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)

from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.urls import fetchable
from worker.catalogue.validation.values import (
    INT64,
    Closed,
    Open,
    as_json,
    as_seconds,
    encodable,
    not_blank,
    one_of,
)


@lru_cache(maxsize=1024)
def schema(inputs: tuple[Input, ...], *, additional: bool = False) -> type[BaseModel]:
    """Return the pydantic model of these inputs, without defaults.

    It rejects unknown names unless `additional` is set. `dumped` turns an instance into the
    arguments for fal.
    """
    # Field names are generated, because an input may have the name of an attribute of BaseModel.
    # They begin with a control character, which no name from a caller may contain.
    fields = {
        f"\0{index}": (_annotation(item), Field(... if item.required else None, alias=item.name))
        for index, item in enumerate(inputs)
    }
    model: type[BaseModel] = create_model(  # type: ignore[call-overload]
        "Arguments", __base__=Open if additional else Closed, **fields
    )
    return model


def _annotation(item: Input) -> object:
    if not item.many:
        return _single(item)
    bounds = Field(strict=True, min_length=item.min_items, max_length=item.max_items)
    return Annotated[list[_single(item)], bounds]  # type: ignore[misc]


def _single(item: Input) -> object:
    if item.choices and item.kind is InputType.STRING:
        return Literal[item.choices]
    return _ANNOTATIONS[item.kind](item)


def _words(item: Input) -> object:
    bounds = Field(strict=True, min_length=item.min_length, max_length=item.max_length)
    # Runs first, because pydantic's error for a lone surrogate does not mention it.
    characters = BeforeValidator(encodable)
    return Annotated[
        str, characters, bounds, *([] if item.may_be_empty else [AfterValidator(not_blank)])
    ]


def _url(item: Input) -> object:
    address = AfterValidator(partial(fetchable, item))
    return Annotated[str, BeforeValidator(encodable), Field(strict=True), address]


def _seconds(item: Input) -> object:
    digits = Annotated[str, StringConstraints(strict=True, pattern=r"^[1-9][0-9]{0,3}$")]
    allowed = Literal[item.choices] if item.choices else digits
    return Annotated[allowed, BeforeValidator(as_seconds)]


def _integer(item: Input) -> object:
    floor = -INT64 if item.minimum is None else math.ceil(item.minimum)
    ceiling = INT64 - 1 if item.maximum is None else math.floor(item.maximum)
    inclusive = Field(strict=True, ge=floor, le=ceiling)
    above, below = item.exclusive_minimum, item.exclusive_maximum
    exclusive = Field(
        gt=None if above is None else math.floor(above),
        lt=None if below is None else math.ceil(below),
    )
    return Annotated[int, inclusive, exclusive, *_choices(item)]


def _number(item: Input) -> object:
    inclusive = Field(strict=True, ge=item.minimum, le=item.maximum, allow_inf_nan=False)
    exclusive = Field(gt=item.exclusive_minimum, lt=item.exclusive_maximum)
    return Annotated[float, inclusive, exclusive, WrapValidator(_unchanged), *_choices(item)]


def _choices(item: Input) -> list[AfterValidator]:
    return [AfterValidator(partial(one_of, item.choices))] if item.choices else []


def _boolean(_: Input) -> object:
    return Annotated[bool, Field(strict=True)]


def _anything(_: Input) -> object:
    return Annotated[object, AfterValidator(as_json)]


def _object(item: Input) -> object:
    return schema(item.nested, additional=item.additional)


def _unchanged(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    """Validate the value but return it unchanged, so that 1 does not become 1.0."""
    validate(value)
    return value


_ANNOTATIONS: Mapping[InputType, Callable[[Input], object]] = {
    InputType.TEXT: _words,
    InputType.STRING: _words,
    InputType.URL: _url,
    InputType.SECONDS: _seconds,
    InputType.INTEGER: _integer,
    InputType.NUMBER: _number,
    InputType.BOOLEAN: _boolean,
    InputType.OBJECT: _object,
    InputType.ANY: _anything,
}


def dumped(model: BaseModel, arguments: Mapping[str, object]) -> dict[str, object]:
    """Return the validated values in the order of `arguments`, without defaults."""
    values: dict[str, object] = model.model_dump(by_alias=True, exclude_unset=True, warnings=False)
    return {name: values[name] for name in arguments}
