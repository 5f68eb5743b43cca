"""Addresses that fal can fetch: on the internet, or with the data inside."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from worker.catalogue.strings import STAGED

_DATA_URI = re.compile(r"data:[^,]*,.")
_WEB_ADDRESS = TypeAdapter(AnyHttpUrl)
# The URL standard skips further slashes, so that https:///x becomes the host x.
_NO_AUTHORITY = re.compile(r"https?://(?:[/?#\\]|$)", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# RFC 6761, RFC 6762; ICANN keeps .internal for private networks (2024).
_NEVER_PUBLIC = frozenset({"localhost", "local", "internal"})


def fetchable(max_length: int | None, value: str) -> str:
    """A URL that fal can fetch, or a data URI; `max_length` bounds web addresses alone."""
    scheme = value[:8].lower()
    if STAGED.fullmatch(value):
        return value
    if not value:
        raise PydanticCustomError("empty", "must not be empty")
    if not value.isprintable() or (" " in value and not _looks_local(value)):
        raise PydanticCustomError("not_url", "must be a URL without spaces or line breaks")
    if scheme.startswith("data:"):
        if not _DATA_URI.match(value):
            raise PydanticCustomError("not_url", "must be a data URI with data after a comma")
    elif scheme.startswith(("http://", "https://")):
        _check_web_address(max_length, value)
    else:
        # Told in the words of the input, see Input.allowed.
        kind = "local" if _looks_local(value) else "no_address"
        raise PydanticCustomError(kind, "must be an address")
    return value


def _check_web_address(max_length: int | None, value: str) -> None:
    if max_length is not None and len(value) > max_length:
        raise PydanticCustomError(
            "url_too_long",
            "must be a URL of at most {most} characters, not {length}",
            {"most": f"{max_length:,}", "length": f"{len(value):,}"},
        )
    invalid = PydanticCustomError("not_url", "must be a URL with a valid host")
    try:
        host = _WEB_ADDRESS.validate_python(value).host or ""
    except ValidationError as error:
        raise invalid from error
    if _NO_AUTHORITY.match(value):
        raise invalid
    address = _as_ip(host)
    labels = host.removesuffix(".").split(".")
    if address is None and not all(map(_LABEL.fullmatch, labels)):
        raise invalid
    if not (_is_public_name(labels) if address is None else _is_public(address)):
        raise PydanticCustomError("not_public", "must be a URL that fal can reach, on the internet")


def _as_ip(host: str) -> IPv4Address | IPv6Address | None:
    # The URL standard writes 2130706433 and 0x7f.1 as 127.0.0.1, which is done by now.
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast


def _is_public_name(labels: list[str]) -> bool:
    return len(labels) > 1 and labels[-1] not in _NEVER_PUBLIC


def _looks_local(value: str) -> bool:
    return value.startswith(("file:", "/", "./", "../", "~")) or "://" not in value
