"""What an endpoint takes: named inputs with their types and bounds."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from worker.catalogue.phrases import one_of, reach, span

MEGABYTE = 1024 * 1024
# Where fal states no bound of its own.
MAX_MEGABYTES: Mapping[str, int] = {"image": 50, "audio": 50, "video": 200}
_ALL = frozenset(MAX_MEGABYTES)
# What the words in an input's name say about the files that it takes; a mask may be of either kind.
_FAMILIES: Mapping[str, frozenset[str]] = {
    "image": frozenset({"image"}),
    "images": frozenset({"image"}),
    "video": frozenset({"video"}),
    "audio": frozenset({"audio"}),
    # https://fal.ai/models/fal-ai/kling-video/create-voice : mp3, wav, mp4 or mov.
    "voice": frozenset({"audio", "video"}),
}
_ID = re.compile(r"(.*_)?ids?")


class InputType(StrEnum):
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
    ANY = "any"
    """Whatever JSON can carry: a schema says more than this catalogue can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of an endpoint, or one member of a nested object.

    `many` makes it a list; `min_items` and `max_items` bound the list, everything else its items.
    `max_length` of a URL holds for web addresses, `max_megabytes` and `formats`, endings
    of file names, for files that are uploaded.
    `also_called` are the names that other versions give the same thing, `unchecked` the keywords of
    its schema that nothing here checks. With `additional` an object may have other members too.
    """

    name: str
    kind: InputType
    many: bool = False
    required: bool = False
    default: str | float | bool | None = None
    choices: tuple[str | float, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    max_megabytes: int | None = None
    formats: tuple[str, ...] = ()
    nested_type: str = ""
    nested: tuple["Input", ...] = ()
    also_called: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    additional: bool = False
    description: str = ""
    example: object = field(default=None, hash=False, compare=False)

    @property
    def type(self) -> str:
        """The type as people read it: `seconds`, `list<DynamicMask>`."""
        single = self.nested_type or self.kind.value
        return f"list<{single}>" if self.many else single

    @property
    def families(self) -> frozenset[str]:
        """The families of media (image, video, audio) that a file for this input may be of."""
        words = re.split(r"[^a-z]+", self.name.lower())
        mask = _FAMILIES["image"] if "mask" in words else _ALL
        return next((_FAMILIES[word] for word in words if word in _FAMILIES), mask)

    @property
    def max_bytes(self) -> int:
        """The largest file that is uploaded for this input, in bytes."""
        most = self.max_megabytes or max(MAX_MEGABYTES[family] for family in self.families)
        return most * MEGABYTE

    @property
    def allowed(self) -> str:
        """What a value, or with `many` each item, has to be; it completes "must be …"."""
        if self.choices:
            return one_of(self.choices)
        most = f", at most {self.max_length:,} characters" if self.max_length else ""
        bounds = reach(self.minimum, self.exclusive_minimum, self.maximum, self.exclusive_maximum)
        formats = f" ({', '.join(self.formats)})" if self.formats else ""
        phrases = {
            InputType.TEXT: f"text{self._length()}",
            InputType.STRING: f"a string{self._length()}",
            InputType.URL: f"an http(s) URL, a local file{formats} or a data URI{most}",
            InputType.SECONDS: "a whole number of seconds",
            InputType.INTEGER: f"a whole number{bounds}",
            InputType.NUMBER: f"a finite number{bounds}",
            InputType.BOOLEAN: "true or false",
            InputType.OBJECT: f"an object with {self._members()}",
            InputType.ANY: "anything that JSON can carry",
        }
        return phrases[self.kind]

    @property
    def allowed_items(self) -> str:
        """How many items a list has to have; it completes "must be …"."""
        return "a list" + span(self.min_items, self.max_items, " item")

    @property
    def may_be_empty(self) -> bool:
        """Whether a string without words is taken; no required one, no item and no id is."""
        return not (self.required or self.many or _ID.fullmatch(self.name))

    def _members(self) -> str:
        names = ", ".join(member.name for member in self.nested)
        return f"{names} and any others" if self.additional else names

    def _length(self) -> str:
        if self.min_length is None and self.max_length is None:
            return ""
        least = self.min_length or (None if self.may_be_empty else 1)
        return span(least, self.max_length, " character")


def paths(inputs: Iterable[Input]) -> Iterator[str]:
    """Where each input stands, nested ones after theirs: `dynamic_masks[].mask_url`."""
    for item in inputs:
        yield item.name
        steps = f"{item.name}[]." if item.many else f"{item.name}."
        yield from (f"{steps}{below}" for below in paths(item.nested))
