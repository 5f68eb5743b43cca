"""The request for a job, and the answer to a trial run."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from api.models.job import Estimate, Job

# A decimal in JSON is a number or a text.
Dollars = Annotated[Decimal, Field(strict=False, ge=0, allow_inf_nan=False)]


class JobCreation(BaseModel):
    """A job to create."""

    model_config = ConfigDict(extra="forbid", strict=True)

    endpoint: str = Field(
        description="An endpoint of the catalogue: GET /v1/models lists them.",
        examples=["fal-ai/kling-video/v2.1/master/text-to-video"],
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict,
        description="The endpoint's inputs: GET /v1/models/{endpoint} has their JSON Schema. A "
        "file is an https address, a data URI, or the upload:// address of POST /v1/uploads.",
        examples=[{"prompt": "A red fox in the snow", "duration": "5"}],
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict,
        description="Kept on the record and in the manifest.",
        examples=[{"order": "4711"}],
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="fal's platform options, such as `priority`."
    )
    unchecked: bool = Field(
        default=False, description="Accept any endpoint of fal, and do not validate inputs."
    )
    notify: str | None = Field(
        default=None,
        max_length=2_000,
        description="An https address that is told of the job's end by a signed webhook. It needs "
        "keys: POST /v1/endpoints with `for_jobs`.",
        examples=["https://hooks.example.com/order/4711"],
    )
    max_price: Dollars | None = Field(
        default=None,
        description="US dollars. A job whose estimate is higher, or unknown, is not created.",
        examples=["1.50"],
    )
    dry_run: bool = Field(
        default=False, description="Validate and price the job; store and send nothing."
    )


class Trial(BaseModel):
    """What a job would be: the answer to `dry_run`."""

    dry_run: bool
    endpoint: str
    arguments: dict[str, Any] = Field(description="As they would be sent to fal.")
    estimate: Estimate | None
    cost: str = Field(description="The cost in a sentence.")


class JobOrTrial(RootModel[Job | Trial]):
    """The job, or what it would be for `dry_run`."""
