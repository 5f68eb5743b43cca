"""What an object may hold beside the members that are declared for it: nothing, or anything."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from worker.catalogue.validation.values import as_json, encodable


class Closed(BaseModel):
    """Takes what is declared alone."""

    model_config = ConfigDict(extra="forbid")


class Open(BaseModel):
    """Takes any others as well, with names and values that JSON can carry."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[object, AfterValidator(as_json)]]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for name in self.__pydantic_extra__:
            encodable(name)
        return self
