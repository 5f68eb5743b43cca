"""What single platform options may be: hints, tags, lifetimes; else ValueError with the rule."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

JOB_TAG = "job_id"
# https://fal.ai/docs (platform headers): what goes beyond is dropped in silence.
MOST_TAGS, LONGEST_TAG_KEY, LONGEST_TAG_VALUE, LONGEST_TAGS = 10, 64, 256, 1024
LONGEST_JOB_TAG = len(f"{JOB_TAG}=,") + 64
# fal keeps a file at least as long as the download step goes on trying.
SHORTEST_LIFE = 3600
_YEAR = 31_536_000
# Nobody means a longer one: it would be a slip of the keyboard.
LONGEST_LIFE = 100 * _YEAR
_UNITS: Mapping[str, int] = {"": 1, "s": 1, "h": 3600, "d": 86_400, "w": 604_800, "y": _YEAR}
_DURATION = re.compile(r"([0-9]{1,12}) ?([shdwy]?)")
_KEY = re.compile(rf"[a-z0-9._-]{{1,{LONGEST_TAG_KEY}}}")
_VALUE = re.compile(rf"[!-+\--<>-~][ -+\--<>-~]{{0,{LONGEST_TAG_VALUE - 1}}}")
_VISIBLE = re.compile(r"[!-~]([ -~]{0,254}[!-~])?")


def hint(value: str) -> str:
    if not _VISIBLE.fullmatch(value):
        raise ValueError("must be 1 to 256 printable ASCII characters")
    return value


def tag_key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise ValueError(f"must have a name of 1 to {LONGEST_TAG_KEY} of a-z 0-9 . _ -")
    if value.startswith("fal."):
        raise ValueError("must not begin with fal., which fal keeps to itself")
    if value == JOB_TAG:
        raise ValueError("is set by falhook, to the job's id")
    return value


def tag_value(value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise ValueError(
            f"must be 1 to {LONGEST_TAG_VALUE} printable ASCII characters without , and ="
        )
    return value


def lifetime(value: object) -> int | None:
    """Seconds of a duration such as 3600, "24h" or "7d"; None for "never"."""
    if value is None or value == "never":
        return None
    found = _DURATION.fullmatch(str(value)) if isinstance(value, str | int) else None
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not SHORTEST_LIFE <= seconds <= LONGEST_LIFE:
        raise ValueError(
            "must be seconds or a duration such as 24h, 7d or 1y, of 1h to 100y, or never"
        )
    return seconds


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
