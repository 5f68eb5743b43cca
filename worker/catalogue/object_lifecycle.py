"""How long fal keeps the files of a job, and who may read them.

https://fal.ai/docs (platform headers): X-Fal-Object-Lifecycle-Preference.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from worker.catalogue.option_types import hint, lifetime


class Form(BaseModel):
    """No unknown name and no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AccessRule(Form):
    """Whether one fal user may read the job's files."""

    user: Annotated[str, AfterValidator(hint)]
    decision: Literal["allow", "forbid", "hide"]


class AccessControl(Form):
    """Who may read the job's files on fal's CDN.

    `default` is allow alone: falhook downloads them without fal's credentials.
    """

    default: Literal["allow"] = "allow"
    rules: list[AccessRule] = []


class ObjectLifecycle(Form):
    """How long fal keeps the job's files, in seconds (None: for ever), and who may read them."""

    expiration_duration_seconds: Annotated[int | None, BeforeValidator(lifetime)] = None
    initial_acl: AccessControl | None = None
