"""Uploads of input files."""

from pydantic import BaseModel, ConfigDict, Field


class UploadQuery(BaseModel):
    """What the file is for, so that it is checked before a job refers to it."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str = Field(
        default="",
        max_length=200,
        description="The endpoint of the job. Without `input`, one of its inputs must accept the "
        "file; without an endpoint, any file is accepted.",
        examples=["fal-ai/kling-video/v2.1/master/image-to-video"],
    )
    input: str = Field(
        default="",
        max_length=200,
        description="The input of that endpoint, `image_url` or `elements[].frontal_image_url`.",
        examples=["image_url"],
    )


class Upload(BaseModel):
    """A stored file."""

    url: str = Field(
        description="Give it to a job as the value of the input.",
        examples=["upload://0a…9f.png"],
    )
    bytes: int = Field(description="Its size.")
    sha256: str = Field(description="The hash of its content, hexadecimal.")
    media_type: str = Field(description="Its type, known by its first bytes.")
