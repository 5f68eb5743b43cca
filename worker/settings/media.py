"""The settings of published files."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from webhook.settings.environment import Environment
from worker.formats.tag_choices import JobTag, PromptTag
from worker.settings import media_validators
from worker.transcode.choices import (
    AUTOMATIC_POSTER,
    EXTRA_NAMES,
    LOUDEST,
    LOUDNESS_OFF,
    MASTER_NAMES,
    QUIETEST,
)

T = TypeVar("T")


class MediaSettings(Environment):
    """The settings of published files: outputs, tags, marks and signatures."""

    profile: Annotated[str, AfterValidator(media_validators.profile)] = Field(
        default="original",
        alias="FALHOOK_PROFILE",
        description=f"Outputs of each clip: {' or '.join(MASTER_NAMES)}, optionally followed by any"
        f" of +{', +'.join(EXTRA_NAMES)}. A job can choose others in its metadata"
        " (falhook.profile).",
    )
    poster_at: Annotated[str, AfterValidator(media_validators.poster_at)] = Field(
        default=AUTOMATIC_POSTER,
        alias="FALHOOK_POSTER_AT",
        description="The moment that posters show: seconds such as 2.5, a share of the clip such as"
        " 50%, or auto: 1 s, or a later moment if the picture there is black, white or flat. A job"
        " can choose another in its metadata (falhook.poster_at).",
    )
    loudness: Annotated[str, AfterValidator(media_validators.loudness)] = Field(
        default=LOUDNESS_OFF,
        alias="FALHOOK_LOUDNESS",
        description="Integrated loudness that published sound is normalised to (EBU R 128), with a"
        f" true peak of at most -1 dBTP: LUFS from {QUIETEST:g} to {LOUDEST:g}, such as -14, or"
        " off. A job can choose another in its metadata (falhook.loudness).",
    )
    aigc_provider: str = Field(
        default="",
        alias="FALHOOK_AIGC_PROVIDER",
        description="Your name or code as a service provider in China; required by the mark cn.",
    )
    marks: str = Field(
        default="eu",
        alias="FALHOOK_MARKS",
        description="Regulatory marks in every file, comma-separated: eu (AI Act, Article 50(2)),"
        " cn (GB 45438-2025), or none. The IPTC AI origin is always included.",
    )
    prompt_tag: PromptTag = Field(
        default=PromptTag.OFF,
        alias="FALHOOK_TAG_PROMPT",
        description="The prompt in published files: off (left out), hash (its SHA-256) or text.",
    )
    job_tag: JobTag = Field(
        default=JobTag.IDS,
        alias="FALHOOK_TAG_JOB",
        description="The job in published files: ids (job id, request id, endpoint and falhook as"
        " the tool), hash (only the SHA-256 of the job id) or off (nothing). The manifest always"
        " has the ids; content credentials, and the XMP namespace of the marks, always name"
        " falhook.",
    )

    # Names of Isolation; with a union of types a wrong value would cause two error messages.
    isolation: Literal["auto", "bubblewrap", "namespaces", "none"] = Field(
        default="auto",
        alias="FALHOOK_ISOLATION",
        description="Sandbox of ffmpeg: bubblewrap (no network, no other files), namespaces (no"
        " network), none, or auto for the strongest that is available.",
    )

    c2pa_cert: Path | None = Field(
        default=None,
        alias="FALHOOK_C2PA_CERT",
        description="PEM certificate chain, leaf first, that signs files (C2PA); if not set, files"
        " are not signed. `falhook provenance cert` creates one for development.",
    )
    c2pa_key: Path | None = Field(
        default=None,
        alias="FALHOOK_C2PA_KEY",
        description="PEM key of the leaf certificate, for development; in production, keep it in a"
        " key service and set FALHOOK_C2PA_COMMAND.",
    )
    c2pa_command: str = Field(
        default="",
        alias="FALHOOK_C2PA_COMMAND",
        description="Command that signs instead of a key: reads bytes from standard input, writes"
        " the signature (DER or raw) to standard output.",
    )
    c2pa_tsa: str = Field(
        default="",
        alias="FALHOOK_C2PA_TSA",
        description="URL of a time stamp authority; if not set, signatures expire with the"
        " certificate.",
    )
    c2pa_anchors: str = Field(
        default="",
        alias="FALHOOK_C2PA_ANCHORS",
        description="PEM file of root certificates; every signed file must validate against one.",
    )

    @field_validator("marks")
    @classmethod
    def _marks(cls, value: str, info: ValidationInfo) -> str:
        return media_validators.marks(value, info.data.get("aigc_provider", ""))

    @field_validator("c2pa_key", "c2pa_command", "c2pa_tsa")
    @classmethod
    def _require_certificate(cls, value: T, info: ValidationInfo) -> T:
        if value and info.data.get("c2pa_cert", value) is None:
            raise ValueError("requires FALHOOK_C2PA_CERT: without it, files are not signed")
        return value
