"""Settings that are missing or wrong, in sentences."""

import re
from collections.abc import Iterable, Mapping

LONGEST_SHOWN = 100


class SettingsError(Exception):
    """The process cannot start; one sentence for every missing or wrong setting."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def given(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are set, without surrounding space; an empty one is not set."""
    return {name: value.strip() for name, value in environ.items() if value.strip()}


def missing(name: str, description: str) -> str:
    """Return the sentence about a setting that is required and not set."""
    return f"{name} is not set. {description}".rstrip()


def wrong(name: str, value: str, fault: str, description: str) -> str:
    """Return the sentence about a value; `value` is quoted or, for a secret, empty."""
    return f"{name}{value and f' {value}'} {fault.rstrip('.')}. {description}".rstrip()


def shown(value: str) -> str:
    """Return a value quoted for a message: shortened, without a URL's credentials and query."""
    # Up to the last @: an unescaped password may contain / and @.
    text = re.sub(r"://.*@", "://[credentials]@", value)
    if "://" in text:
        text = re.sub(r"\?.*", "?[query]", text)
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")
