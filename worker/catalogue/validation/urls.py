"""Validation of URLs that fal can fetch: public web addresses, data URIs and stored files."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from worker.catalogue.inputs import Input
from worker.catalogue.validation.values import STAGED
from worker.formats.media_types import BY_EXTENSION, formats

_DATA_URI = re.compile(r"data:[^,]*,.")
_WEB_ADDRESS = TypeAdapter(AnyHttpUrl)
# The URL standard skips extra slashes, so https:///x has the host x.
_NO_AUTHORITY = re.compile(r"https?://(?:[/?#\\]|$)", re.IGNORECASE)
# An unusable file, which Staging.stage has already reported.
_REPORTED = f"{'0' * 64}.none"
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# RFC 6761, RFC 6762 with its appendix G, RFC 7686, RFC 9476; ICANN keeps .internal for private
# networks (2024) and delegates neither .corp, .home nor .mail (2018).
_NEVER_PUBLIC = frozenset(
    {"localhost", "local", "test", "invalid", "internal", "intranet", "private", "corp", "home"}
    | {"lan", "mail", "localdomain", "onion", "alt"}
)
_HOME_ARPA = ["home", "arpa"]  # RFC 8375
# https://www.iana.org/assignments/ipv6-address-space : all of IPv6 that is allocated.
_IPV6 = IPv6Network("2000::/3")
_EMBEDS_IPV4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))  # RFC 4291, RFC 6052


def fetchable(item: Input, value: str) -> str:
    """Return the value if it is a URL that fal can fetch, a data URI or a suitable stored file.

    The input's `max_length` applies to web addresses only. Raises PydanticCustomError.
    """
    scheme = value[:8].lower()
    if staged := STAGED.fullmatch(value):
        _check_staged(item, staged[1])
        return value
    if not value:
        raise PydanticCustomError("empty", "must not be empty")
    if not value.isprintable() or (" " in value and not _looks_local(value)):
        raise PydanticCustomError("not_url", "must be a URL without spaces or line breaks")
    if scheme.startswith("data:"):
        if not _DATA_URI.match(value):
            raise PydanticCustomError("not_url", "must be a data URI with data after the comma")
    elif scheme.startswith(("http://", "https://")):
        _check_web_address(item.max_length, value)
    else:
        # messages.py replaces the message by Input.allowed.
        kind = "local" if _looks_local(value) else "no_address"
        raise PydanticCustomError(kind, "must be a URL")
    return value


def _check_staged(item: Input, name: str) -> None:
    extension = name.rpartition(".")[2]
    media = BY_EXTENSION.get(extension)
    fits = media is not None and media.family in item.families
    if name == _REPORTED or (fits and extension in (item.formats or BY_EXTENSION)):
        return
    accepted = ", ".join(item.formats) or formats(item.families)
    raise PydanticCustomError("wrong_media", f"must be a stored file of type {accepted}")


def _check_web_address(max_length: int | None, value: str) -> None:
    if max_length is not None and len(value) > max_length:
        raise PydanticCustomError(
            "url_too_long",
            "must be a URL of at most {most} characters, not {length}",
            {"most": f"{max_length:,}", "length": f"{len(value):,}"},
        )
    invalid = PydanticCustomError("not_url", "must be a URL with a valid host")
    try:
        url = _WEB_ADDRESS.validate_python(value)
    except ValidationError as error:
        raise invalid from error
    if _NO_AUTHORITY.match(value):
        raise invalid
    if url.port == 0:
        raise PydanticCustomError("not_url", "must be a URL with a port from 1 to 65535 or none")
    host = url.host or ""
    address = _as_ip(host)
    labels = host.removesuffix(".").split(".")
    if address is None and not all(map(_LABEL.fullmatch, labels)):
        raise invalid
    if not (_is_public_name(labels) if address is None else _is_public(address)):
        raise PydanticCustomError("not_public", "must be a URL that fal can reach on the internet")


def _as_ip(host: str) -> IPv4Address | IPv6Address | None:
    # Pydantic has already normalized 2130706433 and 0x7f.1 to 127.0.0.1 (URL standard).
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    return address if isinstance(address, IPv4Address) else _embedded_ipv4(address) or address


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address to which gateways translate this address, if any."""
    if any(address in network for network in _EMBEDS_IPV4):
        return IPv4Address(address.packed[-4:])
    return address.sixtofour


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    allocated = isinstance(address, IPv4Address) or address in _IPV6
    return allocated and address.is_global and not address.is_multicast


def _is_public_name(labels: list[str]) -> bool:
    return len(labels) > 1 and labels[-1] not in _NEVER_PUBLIC and labels[-2:] != _HOME_ARPA


def _looks_local(value: str) -> bool:
    return value.startswith(("file:", "/", "./", "../", "~")) or "://" not in value
