"""The AIGC label of a producer (GB 45438-2025), wherever a file from elsewhere carries it.

It must not be removed: a file whose label cannot be carried over stays as it came.
"""

import json
import re
from xml.sax.saxutils import escape

from worker.formats.xmp import LINK, text_anywhere, text_of

AIGC = "AIGC"
MAX_LABEL = 12 << 10  # bytes that it may take in XMP: a JPEG has room for 64 KB of that
# A property of this name in a packet, as it stands there before it is parsed.
_PROPERTY = re.compile(rb"[:<\s]AIGC[\s=>/]")


class NotCarried(ValueError):
    """The file has a label that ours could not hold as it is; the message says why."""


def carried(label: str) -> str:
    """The same label. Raises NotCarried where it is longer than is written."""
    if len(label) > MAX_LABEL or len(json.dumps(escape(label))) > MAX_LABEL:
        raise NotCarried(f"its AIGC label takes more than {MAX_LABEL} bytes")
    return label


def carried_over(packet: bytes, label: str = "") -> dict[str, str]:
    """What is passed on of a file with this XMP packet, by its name.

    Its producer's label, `label` where that stands elsewhere in the file, and the address of its
    content credentials, if they are not in it. Raises NotCarried.
    """
    found = {AIGC: carried(label) or in_xmp(packet), LINK: text_of(packet, LINK)}
    return {name: text for name, text in found.items() if text}


def in_xmp(packet: bytes) -> str:
    """The label in an XMP packet, "" for none. Raises NotCarried where it cannot be read."""
    if not _PROPERTY.search(packet):
        return ""
    try:
        return carried(text_anywhere(packet, AIGC))
    except NotCarried:
        raise
    except ValueError as error:
        raise NotCarried("its XMP has an AIGC label that cannot be read") from error


def in_comment(text: str) -> str:
    """The label in a text that may say other things, "" for none: JSON, or under its name in it.

    Raises NotCarried as above.
    """
    if "ContentProducer" not in text and '"AIGC"' not in text:
        return ""
    try:
        held = json.loads(text[text.index("{") : text.rindex("}") + 1])
    except (ValueError, RecursionError):
        raise NotCarried("its EXIF has an AIGC label that cannot be read") from None
    inner = held.get(AIGC, held)
    return carried(inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False))


# The label's name, and its fields in order (GB 45438-2025, annex E; TC260-PG-20258A).
AIGC = "AIGC"
