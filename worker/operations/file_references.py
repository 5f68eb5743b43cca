"""Decides which texts among the inputs name a file, by the input's type, name and form."""

import re

from worker.catalogue.inputs import MAX_MEGABYTES, Input, InputType
from worker.catalogue.validation.text_values import is_words
from worker.catalogue.validation.values import STAGED

# An input without a schema: any file, of at most `Input.max_bytes`.
UNKNOWN = Input(name="file", kind=InputType.URL)

_MEDIA = frozenset(MAX_MEGABYTES)
_DATA = re.compile(r"data:", re.IGNORECASE)
_FILE = re.compile(r"file:\S", re.IGNORECASE)
# Without a schema, only a whole data URI counts as a file: RFC 2397.
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+[;,]", re.IGNORECASE | re.ASCII)


def file_input(item: Input, name: str) -> Input | None:
    """Return the input whose limits a file must meet; None if the input's texts are not files.

    UNKNOWN is returned if neither the schema nor `name`, the nearest name above the text, decides.
    """
    match item.kind:
        case InputType.URL if item is not UNKNOWN:
            return item
        case InputType.STRING if item.choices:
            return None
        case InputType.URL | InputType.STRING | InputType.ANY:
            return None if _holds_words(name) else UNKNOWN
    return None


def _holds_words(name: str) -> bool:
    # An image_prompt may be prose or a picture, so what looks like a file is treated as one.
    return is_words(name) and Input(name=name, kind=InputType.ANY).families == _MEDIA


def is_embedded(item: Input, value: str) -> bool:
    """Return whether the text is a data URI that contains the file."""
    return (_DATA_URI if item is UNKNOWN else _DATA).match(value) is not None


def is_local(item: Input, value: str, *, typed: bool) -> bool:
    """Return whether the text names a file on this machine.

    A bare path does only if a user typed it, for an input that takes files.
    """
    if _FILE.match(value):
        return True
    bare = typed and item is not UNKNOWN
    return bare and "://" not in value and bool(value.strip()) and not STAGED.fullmatch(value)
