"""How a published file is wanted."""

from pydantic import BaseModel, ConfigDict, Field


class FileQuery(BaseModel):
    """Whether a browser shows or saves the file."""

    model_config = ConfigDict(extra="forbid")

    download: bool = Field(
        default=False,
        description="1 makes a browser save the file under its name instead of showing it; the "
        "bytes then come through this API, also from a remote storage.",
    )
