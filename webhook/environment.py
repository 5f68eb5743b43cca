"""How a group of settings is read from the environment, and what it says when it cannot be."""

import os
from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError


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
            raise SettingsError(cls._sentence(problem) for problem in error.errors()) from None

    @classmethod
    def _sentence(cls, problem: Mapping[str, object]) -> str:
        loc = problem["loc"]
        name = str(loc[0]) if isinstance(loc, tuple) and loc else "settings"
        about = next((f.description for f in cls.model_fields.values() if f.alias == name), None)
        message = str(problem["msg"]).removeprefix("Value error, ")
        wrong = "is not set" if problem["type"] == "missing" else message
        return f"{name} {wrong}. {about or ''}".rstrip()
