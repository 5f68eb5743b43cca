"""Groups of settings read from environment variables."""

import os
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from webhook.settings.errors import SettingsError, given, missing, shown, wrong


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
        values = given(environ)
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
            return missing(name, description)
        message = str(problem["msg"]).removeprefix("Value error, ")
        value = "" if field is None or _is_secret(field) else shown(values.get(name, ""))
        fault = message.replace("Input should be", "must be", 1)
        return wrong(name, value, fault, description)


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr
