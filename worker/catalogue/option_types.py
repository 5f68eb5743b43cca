"""The types of single platform options: runner hints, tags, lifetimes and access rules.

Validators raise ValueError with the requirement, which completes "<option> <value>: ".
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

JOB_TAG = "job_id"
# https://fal.ai/docs (platform headers): fal drops tags beyond these limits silently.
MOST_TAGS, LONGEST_TAG_KEY, LONGEST_TAG_VALUE, LONGEST_TAGS = 10, 64, 256, 1024
LONGEST_JOB_TAG = len(f"{JOB_TAG}=,") + 64
_TAG_KEY = re.compile(rf"[a-z0-9._-]{{1,{LONGEST_TAG_KEY}}}")
_TAG_VALUE = re.compile(rf"[!-+\--<>-~][ -+\--<>-~]{{0,{LONGEST_TAG_VALUE - 1}}}")
_HEADER_TEXT = re.compile(r"[!-~]([ -~]{0,254}[!-~])?")

_YEAR = 31_536_000
# fal must keep a file at least as long as the download step retries.
SHORTEST_LIFE = 3600
# A longer lifetime is a typing error.
LONGEST_LIFE = 100 * _YEAR
_UNITS: Mapping[str, int] = {"": 1, "s": 1, "h": 3600, "d": 86_400, "w": 604_800, "y": _YEAR}
_DURATION = re.compile(r"([0-9]{1,12}) ?([shdwy]?)")


def header_text(value: str) -> str:
    if not _HEADER_TEXT.fullmatch(value):
        raise ValueError("must be 1 to 256 printable ASCII characters")
    return value


def tag_key(value: str) -> str:
    if not _TAG_KEY.fullmatch(value):
        raise ValueError(f"must have a name of 1 to {LONGEST_TAG_KEY} characters: a-z 0-9 . _ -")
    if value.startswith("fal."):
        raise ValueError("must not begin with fal., which is reserved for fal")
    if value == JOB_TAG:
        raise ValueError("is reserved: falhook sets it to the job's id")
    return value


def tag_value(value: str) -> str:
    if not _TAG_VALUE.fullmatch(value):
        raise ValueError(
            f"must be 1 to {LONGEST_TAG_VALUE} printable ASCII characters without , or ="
        )
    return value


def lifetime(value: object) -> int | None:
    """Return the seconds of a duration such as 3600, "24h" or "7d"; None for "never"."""
    if value is None or value == "never":
        return None
    match = _DURATION.fullmatch(str(value)) if isinstance(value, str | int) else None
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not SHORTEST_LIFE <= seconds <= LONGEST_LIFE:
        raise ValueError(
            "must be a duration from 1h to 100y (24h, 7d, 1y or plain seconds) or never"
        )
    return seconds


class StrictModel(BaseModel):
    """A form without unknown names and without type coercion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AccessRule(StrictModel):
    """Whether one fal user may read the job's files."""

    user: Annotated[str, AfterValidator(header_text)]
    decision: Literal["allow", "forbid", "hide"]


class AccessControl(StrictModel):
    """Who may read the job's files on fal's CDN.

    `default` can only be allow: falhook downloads the files without fal's credentials.
    """

    default: Literal["allow"] = "allow"
    rules: list[AccessRule] = []


class ObjectLifecycle(StrictModel):
    """How long fal keeps the job's files, in seconds (None: for ever), and who may read them."""

    expiration_duration_seconds: Annotated[int | None, BeforeValidator(lifetime)] = None
    initial_acl: AccessControl | None = None
