"""Endpoints of fal, from the catalogue."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from worker.catalogue.endpoint import Status


class ModelsQuery(BaseModel):
    """Which endpoints to list."""

    model_config = ConfigDict(extra="forbid")

    search: str = Field(
        default="",
        max_length=200,
        description="Words that the id must contain, all of them.",
        examples=["v3 image"],
    )


class ModelSummary(BaseModel):
    """The main facts of an endpoint, as `falhook models --json` prints them."""

    endpoint: str = Field(examples=["fal-ai/kling-video/v2.1/master/text-to-video"])
    status: Status = Field(description="Only one that is listed or deprecated takes jobs.")
    required: list[str] = Field(description="Its required inputs.")
    optional: list[str] = Field(description="Its other inputs.")
    rules: list[str] = Field(description="Rules between its inputs, in words.")
    additional: bool = Field(description="Whether it accepts inputs that are not listed.")
    unchecked: list[str] = Field(description="Keywords of fal's schema that are not validated.")
    outputs: dict[str, str] = Field(description="The types of what it returns, by name.")
    price: str = Field(description="The rate in US dollars, or that it is not known.")
    typical_seconds: int | None = Field(description="How long fal says that it renders.")
    deprecated_at: str | None = Field(description="The day from which fal advises against it.")
    withdrawn_at: str | None = Field(description="The day from which fal does not serve it.")
    replaced_by: str = Field(description="Its successor, if it has one.")
    note: str


class ModelList(BaseModel):
    """Endpoints, sorted by id."""

    models: list[ModelSummary]


class PriceSource(BaseModel):
    """Where a price was read."""

    confidence: str
    source: str


class Model(ModelSummary):
    """An endpoint with the schema of its arguments."""

    price_about: PriceSource | None = Field(description="null if the price is not known.")
    sources: list[str] = Field(description="The pages from which its entry was read.")
    unavailable: str = Field(description="Why no job can be created with it; usually empty.")
    input_schema: dict[str, Any] | None = Field(
        description="The JSON Schema (2020-12) of a job's `arguments`; null if it is not known."
    )
    example: dict[str, Any] = Field(description="Arguments that can be sent as they are.")
