"""Which texts among the inputs stand for a file: by the type, the name and the form."""

import re

from worker.catalogue.inputs import MAX_MEGABYTES, Input, InputType
from worker.catalogue.validation.text_values import is_words
from worker.catalogue.validation.values import STAGED

# Whatever no schema describes: any file, of at most so many bytes.
UNKNOWN = Input(name="file", kind=InputType.URL)

_MEDIA = frozenset(MAX_MEGABYTES)
_DATA = re.compile(r"data:", re.IGNORECASE)
_FILE = re.compile(r"file:\S", re.IGNORECASE)
# Where nobody knows that an input takes files, it has to look like one: RFC 2397.
_DATA_URI = re.compile(r"data:[\w.+-]+/[\w.+-]+[;,]", re.IGNORECASE | re.ASCII)


def file_input(item: Input, name: str) -> Input | None:
    """What a file has to be for a text of this input; None where no text stands for a file.

    UNKNOWN where the schema does not say: `name`, the nearest above the text, may do so.
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
    # An image_prompt may be words or a picture: what looks like a file is taken for one.
    return is_words(name) and Input(name=name, kind=InputType.ANY).families == _MEDIA


def is_embedded(item: Input, value: str) -> bool:
    """Whether a data URI holds the file."""
    return (_DATA_URI if item is UNKNOWN else _DATA).match(value) is not None


def is_local(item: Input, value: str, *, typed: bool) -> bool:
    """Whether the text names a file of this machine; as a bare path only where a person typed it,
    and for an input that takes files.
    """
    if _FILE.match(value):
        return True
    bare = typed and item is not UNKNOWN
    return bare and "://" not in value and bool(value.strip()) and not STAGED.fullmatch(value)
