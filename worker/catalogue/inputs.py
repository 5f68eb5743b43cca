"""The inputs that an endpoint accepts, with their types and bounds."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from worker.catalogue.phrases import limits, one_of, span

MEGABYTE = 1024 * 1024
# The limits of uploads for which fal documents none.
MAX_MEGABYTES: Mapping[str, int] = {"image": 50, "audio": 50, "video": 200}
_ALL = frozenset(MAX_MEGABYTES)
# The media that a word in an input's name implies; a mask may be an image or a video.
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
    """The types of inputs in fal's schemas."""

    TEXT = "text"
    """A prompt or other prose; never shown in an error."""
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
    """Any JSON value: the catalogue cannot express the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of an endpoint, or one member of a nested object.

    `many` makes it a list; `min_items` and `max_items` bound the list, everything else its items.
    `max_length` of a URL applies to web addresses; `max_megabytes`, `formats` (file name
    extensions), `min_side` and `max_side` (pixels) and `max_ratio` (of the longer side to the
    shorter one) apply to uploaded files. `also_called` lists the names of the same input in other
    versions, `unchecked` the keywords of its schema that are not validated. With `additional` an
    object may have other members as well.
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
    min_side: int | None = None
    max_side: int | None = None
    max_ratio: float | None = None
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
        """The type for display: `seconds`, `list<DynamicMask>`."""
        single = self.nested_type or self.kind.value
        return f"list<{single}>" if self.many else single

    @property
    def families(self) -> frozenset[str]:
        """The families of media (image, video, audio) that this input accepts."""
        words = re.split(r"[^a-z]+", self.name.lower())
        mask = _FAMILIES["image"] if "mask" in words else _ALL
        return next((_FAMILIES[word] for word in words if word in _FAMILIES), mask)

    @property
    def max_bytes(self) -> int:
        """The size limit of an uploaded file for this input, in bytes."""
        most = self.max_megabytes or max(MAX_MEGABYTES[family] for family in self.families)
        return most * MEGABYTE

    @property
    def dimensions(self) -> str:
        """The required dimensions of an uploaded picture or video; "" if fal documents none."""
        sides = span(self.min_side, self.max_side, " pixel").removeprefix(" of ")
        ratio = f"an aspect ratio of at most {self.max_ratio:g}:1" if self.max_ratio else ""
        return " and ".join(filter(None, [sides and f"sides of {sides}", ratio]))

    @property
    def allowed(self) -> str:
        """The requirement for a value, or with `many` for each item; completes "must be …"."""
        if self.choices:
            return one_of(self.choices)
        most = f", at most {self.max_length:,} characters" if self.max_length else ""
        bounds = limits(self.minimum, self.exclusive_minimum, self.maximum, self.exclusive_maximum)
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
            InputType.ANY: "any JSON value",
        }
        return phrases[self.kind]

    @property
    def allowed_items(self) -> str:
        """The required number of items of a list; completes "must be …"."""
        return "a list" + span(self.min_items, self.max_items, " item")

    @property
    def may_be_empty(self) -> bool:
        """Whether a blank string is accepted: not if required, not in a list and not as an id."""
        return not (self.required or self.many or _ID.fullmatch(self.name))

    def _members(self) -> str:
        names = ", ".join(member.name for member in self.nested)
        return f"{names} and any other members" if self.additional else names

    def _length(self) -> str:
        if self.min_length is None and self.max_length is None:
            return ""
        least = self.min_length or (None if self.may_be_empty else 1)
        return span(least, self.max_length, " character")


def paths(inputs: Iterable[Input]) -> Iterator[str]:
    """Yield the path of each input, followed by its nested ones: `dynamic_masks[].mask_url`."""
    for item in inputs:
        yield item.name
        prefix = f"{item.name}[]." if item.many else f"{item.name}."
        yield from (f"{prefix}{nested}" for nested in paths(item.nested))
