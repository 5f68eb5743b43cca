"""Every setting as documents list it, read from settings.json without the classes that declare it.

`make derived` writes settings.json: pydantic, with which they are declared, takes longer to import
than to print them all.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).parent / "settings.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSetting:
    """A setting; `default` is "" if it is required or empty by default."""

    name: str
    required: bool
    default: str
    description: str


def listed() -> tuple[ListedSetting, ...]:
    """Return every setting in the order of the documents."""
    return tuple(ListedSetting(**row) for row in json.loads(FILE.read_text(encoding="utf-8")))


def declared() -> tuple[ListedSetting, ...]:
    """Return every setting as the classes declare it."""
    from worker.settings.every import every_setting  # noqa: PLC0415

    return tuple(
        ListedSetting(
            name=name,
            required=field.is_required(),
            default="" if field.is_required() or field.default is None else str(field.default),
            description=field.description or "",
        )
        for name, field in every_setting().items()
    )


def as_json(settings: Iterable[ListedSetting]) -> str:
    """Return the content of settings.json, a line a setting."""
    rows = ",\n".join(json.dumps(asdict(each), ensure_ascii=False) for each in settings)
    return f"[\n{rows}\n]\n"
