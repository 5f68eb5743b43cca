"""The AIGC label of a producer (GB 45438-2025), wherever a source file carries it.

The label must not be removed: a file whose label cannot be preserved is published unchanged.
"""

import html
import json
import re

from worker.formats.xmp import LINK, text_anywhere, text_of

AIGC = "AIGC"  # the label's name (GB 45438-2025, annex E; TC260-PG-20258A)
MAX_LABEL = 12 << 10  # bytes in XMP: a JPEG has room for 64 KB of XMP
# A property of this name in an unparsed packet.
_PROPERTY = re.compile(rb"[:<\s]AIGC[\s=>/]")


class InvalidLabel(ValueError):
    """A label that cannot be preserved unchanged; the message says why."""


def checked_label(label: str) -> str:
    """Return the label. Raises InvalidLabel if it is longer than MAX_LABEL."""
    if len(label) > MAX_LABEL or len(json.dumps(html.escape(label, quote=False))) > MAX_LABEL:
        raise InvalidLabel(f"its AIGC label takes more than {MAX_LABEL} bytes")
    return label


def preserved_tags(packet: bytes, label: str = "") -> dict[str, str]:
    """Return the tags of a source file that its tagged copy keeps, by name.

    These are the producer's label (`label` if the file has it outside the XMP packet) and the URL
    of content credentials that are stored elsewhere. Raises InvalidLabel.
    """
    tags = {AIGC: checked_label(label) or label_in_xmp(packet), LINK: text_of(packet, LINK)}
    return {name: text for name, text in tags.items() if text}


def label_in_xmp(packet: bytes) -> str:
    """Return the label in an XMP packet, or "". Raises InvalidLabel if it cannot be read."""
    if not _PROPERTY.search(packet):
        return ""
    try:
        return checked_label(text_anywhere(packet, AIGC))
    except InvalidLabel:
        raise
    except ValueError as error:
        raise InvalidLabel("its XMP has an AIGC label that cannot be read") from error


def label_in_comment(text: str) -> str:
    """Return the label in an EXIF comment, or "": the comment's JSON, or its AIGC member.

    Text around the JSON is ignored. Raises InvalidLabel if the label cannot be read.
    """
    if "ContentProducer" not in text and '"AIGC"' not in text:
        return ""
    try:
        fields = json.loads(text[text.index("{") : text.rindex("}") + 1])
    except (ValueError, RecursionError):
        raise InvalidLabel("its EXIF has an AIGC label that cannot be read") from None
    label = fields.get(AIGC, fields)
    return checked_label(label if isinstance(label, str) else json.dumps(label, ensure_ascii=False))
