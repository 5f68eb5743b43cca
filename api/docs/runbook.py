"""The reason codes with their meanings and cures, from the tables of the runbook."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_RUNBOOK = Path(__file__).parents[2] / "infra" / "README.md"
_SECTION = re.compile(r"^## Reason codes\n(.*?)^## ", re.DOTALL | re.MULTILINE)
_ROW = re.compile(r"^\| (`[^|]*`) \| (.*?) \| (.*?) \|$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason code, what it means, and what to do; both are Markdown without links."""

    code: str
    meaning: str
    cure: str


@cache
def reasons() -> tuple[Reason, ...]:
    """Return the codes in the order of the runbook."""
    section = _SECTION.search(_RUNBOOK.read_text(encoding="utf-8"))
    assert section is not None, "the runbook has no section about reason codes"
    return tuple(_reasons(_LINK.sub(r"\1", section[1])))


def _reasons(text: str) -> Iterator[Reason]:
    for codes, meaning, cure in _ROW.findall(text):
        for code in _CODE.findall(codes):
            yield Reason(code=code, meaning=meaning, cure=cure)
