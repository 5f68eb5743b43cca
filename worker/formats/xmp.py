"""XMP packets: what pictures and videos say of themselves in the words of IPTC and TC260.

Properties: IPTC Photo Metadata 2025.1 (https://iptc.org/std/photometadata/specification/) and
the AIGC name space of the Chinese practice guide TC260-PG-20258A, under GB 45438-2025.
"""

import json
import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree
from xml.sax.saxutils import escape

NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "TC260": "http://www.tc260.org.cn/ns/AIGC/1.0/",
    "dcterms": "http://purl.org/dc/terms/",
    "falhook": "urn:falhook:1.0:",
}
LINK = "dcterms:provenance"  # where a file's credentials are that are not in it (C2PA 2.2, 11.5)
_ALTERNATIVES = frozenset({"dc:title", "dc:description"})  # texts in languages
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_MAX_READ = 1 << 20  # bytes of a packet that is read
_TAIL = '<?xpacket end="r"?>'


def packet(properties: Iterable[tuple[str, str]]) -> bytes:
    """A read-only packet of these properties, each a qualified name and its text, UTF-8.

    The texts must be printable: XML has no place for control characters.
    """
    spaces = "".join(f'\n  xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    held = "".join(f"\n  {_property(name, value)}" for name, value in properties)
    return (
        f'{_HEAD}<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'\n <rdf:Description rdf:about=""{spaces}>{held}\n </rdf:Description>'
        f"\n</rdf:RDF></x:xmpmeta>{_TAIL}"
    ).encode()


def without(made: bytes, name: str) -> bytes:
    """The same packet, made as above, without this property."""
    return re.sub(rf"\n  <{name}>.*?</{name}>".encode(), b"", made)


def _property(name: str, value: str) -> str:
    text = escape(value)
    if name in _ALTERNATIVES:
        text = f'<rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'
    return f"<{name}>{text}</{name}>"


def text_of(packet: bytes, name: str) -> str:
    """The text of a property in a packet from elsewhere, "" where it is not there.

    It may stand in an element or an attribute, under any prefix; the fields of a structure are
    given as JSON. A packet that is huge, no XML, or has a DTD, which XMP does not know, holds
    nothing.
    """
    prefix, _, local = name.partition(":")
    try:
        return next(_texts(packet, re.compile(re.escape(f"{{{NAMESPACES[prefix]}}}{local}"))), "")
    except ValueError:
        return ""


def text_anywhere(packet: bytes, local: str) -> str:
    """The same for a property of this name in whatever name space: some have one of their own.

    Raises ValueError where the packet cannot be read.
    """
    return next(_texts(packet, re.compile(r"(\{.*\})?" + re.escape(local))), "")


def _texts(packet: bytes, name: re.Pattern[str]) -> Iterator[str]:
    for element in _elements(packet):
        yield from (text.strip() for key, text in element.attrib.items() if name.fullmatch(key))
        if name.fullmatch(element.tag):
            space = element.tag.rpartition("}")[0]
            inner = [part for part in element.iter() if part.tag.startswith(space)][1:]
            if space and inner:
                fields = {part.tag.rpartition("}")[2]: part.text or "" for part in inner}
                yield json.dumps(fields, ensure_ascii=False)
            else:
                yield "".join(element.itertext()).strip()


def _elements(packet: bytes) -> Iterator[ElementTree.Element]:
    text = packet[: _MAX_READ + 1].decode("utf-8", "replace").strip("\0 \r\n\t\ufeff")
    if len(packet) > _MAX_READ or "<!DOCTYPE" in text:
        raise ValueError("the packet is huge, or has a DTD")
    try:
        return ElementTree.fromstring(text).iter()  # noqa: S314 - without a DTD no entity grows
    except ElementTree.ParseError as error:
        raise ValueError("the packet is no XML") from error
