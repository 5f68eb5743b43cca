"""What settings say of deliveries."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from webhook.settings import Environment
from worker.formats.marks import Marks
from worker.formats.tags import PromptTag
from worker.settings import validators
from worker.transcode.profiles import EXTRAS, MASTERS

T = TypeVar("T")


class MediaSettings(Environment):
    """What files are made of a clip, and what they say of themselves."""

    profile: Annotated[str, AfterValidator(validators.profile)] = Field(
        default="original",
        alias="FALHOOK_PROFILE",
        description=f"What is made of each clip: {' or '.join(MASTERS)}, then any of"
        f" +{', +'.join(EXTRAS)}; a job's metadata may ask for another as falhook.profile.",
    )
    aigc_provider: str = Field(
        default="",
        alias="FALHOOK_AIGC_PROVIDER",
        description="Your name or code as a service provider in China, for the mark cn.",
    )
    marks: str = Field(
        default="eu",
        alias="FALHOOK_MARKS",
        description="Regulatory marks in every file, comma-separated: eu (AI Act, Article 50(2)),"
        " cn (GB 45438-2025), or none; the IPTC AI origin is always there.",
    )
    prompt_tag: PromptTag = Field(
        default=PromptTag.OFF,
        alias="FALHOOK_TAG_PROMPT",
        description="What files say of the prompt: off, hash (its SHA-256) or text.",
    )

    # Of the names in Isolation: a union would tell of each wrong value twice.
    isolation: Literal["auto", "bubblewrap", "namespaces", "none"] = Field(
        default="auto",
        alias="FALHOOK_ISOLATION",
        description="What walls ffmpeg off beside its limits: bubblewrap (no network, no foreign"
        " file), namespaces (no network), none, or auto for the strongest that is to be had.",
    )

    c2pa_cert: Path | None = Field(
        default=None,
        alias="FALHOOK_C2PA_CERT",
        description="PEM chain, leaf first, that files are signed with (C2PA); without it they are"
        " not. `falhook provenance cert` makes one for development.",
    )
    c2pa_key: Path | None = Field(
        default=None,
        alias="FALHOOK_C2PA_KEY",
        description="PEM key of the leaf; for development, production keeps it in a key service.",
    )
    c2pa_command: str = Field(
        default="",
        alias="FALHOOK_C2PA_COMMAND",
        description="Command that signs in the key's place: bytes on standard input, the"
        " signature (DER or raw) on standard output.",
    )
    c2pa_tsa: str = Field(
        default="",
        alias="FALHOOK_C2PA_TSA",
        description="URL of a time stamp authority; without one signatures end with the"
        " certificate.",
    )
    c2pa_anchors: str = Field(
        default="",
        alias="FALHOOK_C2PA_ANCHORS",
        description="PEM file of roots that every signed file has to validate against.",
    )

    @field_validator("marks")
    @classmethod
    def _marks(cls, value: str, info: ValidationInfo) -> str:
        Marks.parse(value, info.data.get("aigc_provider", ""))
        return value

    @field_validator("c2pa_key", "c2pa_command", "c2pa_tsa")
    @classmethod
    def _signs(cls, value: T, info: ValidationInfo) -> T:
        if value and info.data.get("c2pa_cert", value) is None:
            raise ValueError("needs FALHOOK_C2PA_CERT as well: without it no file is signed")
        return value
