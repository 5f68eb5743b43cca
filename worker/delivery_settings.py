"""What settings say of deliveries."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from webhook.settings import Environment
from worker.ffmpeg import Isolation
from worker.marks import Marks
from worker.profiles import EXTRAS, MASTERS, Profile
from worker.tags import PromptTag


def _profile(value: str) -> str:
    Profile.parse(value)
    return value


class DeliverySettings(Environment):
    """What files are made of a clip, and what they say of themselves."""

    profile: Annotated[str, AfterValidator(_profile)] = Field(
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

    isolation: Literal["auto"] | Isolation = Field(
        default="auto",
        alias="FALHOOK_ISOLATION",
        description="What walls ffmpeg off beside its limits: bubblewrap (no network, no foreign"
        " file), namespaces (no network), none, or auto for the strongest that is to be had.",
    )

    @field_validator("marks")
    @classmethod
    def _marks(cls, value: str, info: ValidationInfo) -> str:
        Marks.parse(value, info.data.get("aigc_provider", ""))
        return value
