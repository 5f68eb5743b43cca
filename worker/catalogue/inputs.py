"""What an endpoint takes: named inputs with their types and bounds."""

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The types that fal's schemas come down to."""

    TEXT = "text"
    """Words for the model; never shown in an error."""
    STRING = "string"
    URL = "url"
    """An address that fal fetches, or a data URI."""
    SECONDS = "seconds"
    """A whole number of seconds, sent as a string."""
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of an endpoint, or one member of a nested object.

    `many` makes it a list; `min_items` and `max_items` bound the list, everything else its items.
    `max_length` of a URL holds for web addresses, not for data URIs. `also_called` are the names
    that other versions give the same thing.
    """

    name: str
    kind: Kind
    many: bool = False
    required: bool = False
    default: str | float | bool | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    nested_type: str = ""
    nested: tuple["Input", ...] = ()
    also_called: tuple[str, ...] = ()
    description: str = ""
    example: object = field(default=None, hash=False, compare=False)

    @property
    def type(self) -> str:
        """The type as people read it: `seconds`, `list<DynamicMask>`."""
        single = self.nested_type or self.kind.value
        return f"list<{single}>" if self.many else single

    @property
    def allowed(self) -> str:
        """What a value, or with `many` each item, has to be; it completes "must be …"."""
        if self.choices:
            return _one_of(self.choices)
        most = f", at most {self.max_length:,} characters" if self.max_length else ""
        span = _span(self.minimum, self.maximum)
        phrases = {
            Kind.TEXT: f"text{self._length()}",
            Kind.STRING: f"a string{self._length()}",
            Kind.URL: f"an http(s) URL or a data URI{most}",
            Kind.SECONDS: "a whole number of seconds",
            Kind.INTEGER: f"a whole number{span}",
            Kind.NUMBER: f"a finite number{span}",
            Kind.BOOLEAN: "true or false",
            Kind.OBJECT: "an object with " + ", ".join(member.name for member in self.nested),
        }
        return phrases[self.kind]

    @property
    def allowed_items(self) -> str:
        """How many items a list has to have; it completes "must be …"."""
        return "a list" + _span(self.min_items, self.max_items, " items")

    def _length(self) -> str:
        least = self.min_length or (1 if self.required else None)
        return _span(least, self.max_length, " characters") if self.max_length else ""


_SHOWN_CHOICES = 16


def _one_of(choices: tuple[str, ...]) -> str:
    quoted = [f'"{choice}"' for choice in choices[:_SHOWN_CHOICES]]
    rest = len(choices) - len(quoted)
    return "one of " + ", ".join(quoted) + (f" and {rest} more" if rest else "")


def _span(least: float | None, most: float | None, unit: str = "") -> str:
    match least, most:
        case None, None:
            return ""
        case None, _:
            return f" of at most {most:,}{unit}"
        case _, None:
            return f" of at least {least:,}{unit}"
        case _:
            return f" of {least:,} to {most:,}{unit}"
