"""XMP packets: the metadata of images, audio and videos, in the terms of IPTC and TC260.

Properties: IPTC Photo Metadata 2025.1 (https://iptc.org/std/photometadata/specification/) and
the AIGC namespace of the Chinese practice guide TC260-PG-20258A, under GB 45438-2025.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "TC260": "http://www.tc260.org.cn/ns/AIGC/1.0/",
    "dcterms": "http://purl.org/dc/terms/",
    "falhook": "urn:falhook:1.0:",
}
LINK = "dcterms:provenance"  # URL of credentials that are not in the file (C2PA 2.2, 11.5)
_ALTERNATIVES = frozenset({"dc:title", "dc:description"})  # texts with a language
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
_MAX_READ = 1 << 20  # bytes of the largest packet that is parsed
_TAIL = '<?xpacket end="r"?>'


def packet(properties: Iterable[tuple[str, str]]) -> bytes:
    """Return a read-only packet of these properties, each a qualified name and its text, in UTF-8.

    The texts must be printable: XML does not allow control characters.
    """
    namespaces = "".join(f'\n  xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    elements = "".join(f"\n  {_property(name, value)}" for name, value in properties)
    return (
        f'{_HEAD}<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'\n <rdf:Description rdf:about=""{namespaces}>{elements}\n </rdf:Description>'
        f"\n</rdf:RDF></x:xmpmeta>{_TAIL}"
    ).encode()


def without(xmp: bytes, name: str) -> bytes:
    """Return a packet that `packet` wrote, without this property."""
    return re.sub(rf"\n  <{name}>.*?</{name}>".encode(), b"", xmp)


def _property(name: str, value: str) -> str:
    text = html.escape(value, quote=False)
    if name in _ALTERNATIVES:
        text = f'<rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt>'
    return f"<{name}>{text}</{name}>"


def text_of(packet: bytes, name: str) -> str:
    """Return the text of a property in a packet of another writer, or "".

    The property may be an element or an attribute, with any prefix; a structure is returned as
    JSON. Packets that are huge, not XML, or have a DTD, which XMP does not use, count as empty.
    """
    prefix, _, local = name.partition(":")
    try:
        return next(_texts(packet, re.compile(re.escape(f"{{{NAMESPACES[prefix]}}}{local}"))), "")
    except ValueError:
        return ""


def text_anywhere(packet: bytes, local: str) -> str:
    """Return the same for a property in any namespace: some producers use one of their own.

    Raises ValueError if the packet cannot be parsed.
    """
    return next(_texts(packet, re.compile(r"(\{.*\})?" + re.escape(local))), "")


def _texts(packet: bytes, name: re.Pattern[str]) -> Iterator[str]:
    for element in _elements(packet):
        yield from (text.strip() for key, text in element.attrib.items() if name.fullmatch(key))
        if name.fullmatch(element.tag):
            namespace = element.tag.rpartition("}")[0]
            children = [child for child in element.iter() if child.tag.startswith(namespace)][1:]
            if namespace and children:
                fields = {child.tag.rpartition("}")[2]: child.text or "" for child in children}
                yield json.dumps(fields, ensure_ascii=False)
            else:
                yield "".join(element.itertext()).strip()


def _elements(packet: bytes) -> Iterator[ElementTree.Element]:
    text = packet[: _MAX_READ + 1].decode("utf-8", "replace").strip("\0 \r\n\t\ufeff")
    if len(packet) > _MAX_READ or "<!DOCTYPE" in text:
        raise ValueError("the packet is larger than 1 MiB, or has a DTD")
    try:
        return ElementTree.fromstring(text).iter()  # noqa: S314 - without a DTD no entity expands
    except ElementTree.ParseError as error:
        raise ValueError("the packet is not valid XML") from error
