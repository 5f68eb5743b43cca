"""How a group of settings is read from the environment, and what it says when it cannot be."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo

LONGEST_SHOWN = 100


class SettingsError(Exception):
    """The process cannot start: every missing or unsafe setting, a sentence each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def separated(value: str) -> tuple[str, ...]:
    """The non-empty entries of a comma-separated value, without surrounding space."""
    return tuple(entry.strip() for entry in value.split(",") if entry.strip())


class Environment(BaseModel):
    """A group of settings; the alias of each field is the name of its environment variable."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The settings of `environ`, where an empty value counts as not set.

        Raises SettingsError naming every setting that is missing or unsafe, with its cure.
        """
        given = {name: value.strip() for name, value in environ.items() if value.strip()}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False)
            raise SettingsError(cls._sentence(problem, given) for problem in problems) from None

    @classmethod
    def names(cls) -> frozenset[str]:
        """The environment variables of this group."""
        return frozenset(str(field.alias) for field in cls.model_fields.values())

    @classmethod
    def _sentence(cls, problem: Mapping[str, object], given: Mapping[str, str]) -> str:
        """Setting, value, what is wrong with it and what it is for; never the value of a secret."""
        loc = problem["loc"]
        name = str(loc[0]) if isinstance(loc, tuple) and loc else "settings"
        field = next((f for f in cls.model_fields.values() if f.alias == name), None)
        about = (field.description or "") if field else ""
        if problem["type"] == "missing":
            return f"{name} is not set. {about}".rstrip()
        message = str(problem["msg"]).removeprefix("Value error, ")
        wrong = message.replace("Input should be", "must be", 1).rstrip(".")
        value = "" if field is None or _is_secret(field) else f" {shown(given.get(name, ''))}"
        return f"{name}{value} {wrong}. {about}".rstrip()


def shown(value: str) -> str:
    """A value as a sentence quotes it: short, without credentials and query of a URL."""
    # A password may hold any character, and so end a URL's host where nobody expects it.
    told = re.sub(r"://.*@", "://[credentials]@", value)
    if "://" in told:
        told = re.sub(r"\?.*", "?[query]", told)
    return repr(told if len(told) <= LONGEST_SHOWN else f"{told[:LONGEST_SHOWN]}…")


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr
