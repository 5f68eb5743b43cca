"""Groups of settings read from environment variables, and the errors if they are wrong."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo

LONGEST_SHOWN = 100


class SettingsError(Exception):
    """The process cannot start; one sentence for every missing or wrong setting."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def separated(value: str) -> tuple[str, ...]:
    """Return the non-empty entries of a comma-separated value, without surrounding space."""
    return tuple(entry.strip() for entry in value.split(",") if entry.strip())


class Environment(BaseModel):
    """A group of settings; the alias of each field is the name of its environment variable."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the settings in `environ`; an empty value counts as not set.

        Raises SettingsError for all missing and wrong settings together.
        """
        values = {name: value.strip() for name, value in environ.items() if value.strip()}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False)
            raise SettingsError(cls._sentence(problem, values) for problem in problems) from None

    @classmethod
    def names(cls) -> frozenset[str]:
        """Return the names of this group's environment variables."""
        return frozenset(str(field.alias) for field in cls.model_fields.values())

    @classmethod
    def _sentence(cls, problem: Mapping[str, object], values: Mapping[str, str]) -> str:
        """Return name, value, problem and description; a secret's value is left out."""
        loc = problem["loc"]
        name = str(loc[0]) if isinstance(loc, tuple) and loc else "settings"
        field = next((f for f in cls.model_fields.values() if f.alias == name), None)
        description = (field.description or "") if field else ""
        if problem["type"] == "missing":
            return f"{name} is not set. {description}".rstrip()
        message = str(problem["msg"]).removeprefix("Value error, ")
        wrong = message.replace("Input should be", "must be", 1).rstrip(".")
        value = "" if field is None or _is_secret(field) else f" {shown(values.get(name, ''))}"
        return f"{name}{value} {wrong}. {description}".rstrip()


def shown(value: str) -> str:
    """Return a value quoted for a message: shortened, without a URL's credentials and query."""
    # Up to the last @: an unescaped password may contain / and @.
    text = re.sub(r"://.*@", "://[credentials]@", value)
    if "://" in text:
        text = re.sub(r"\?.*", "?[query]", text)
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr
