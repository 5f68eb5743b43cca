"""Validation of URLs that fal can fetch: public web addresses, data URIs and stored files."""

import re

from pydantic import AnyHttpUrl, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from webhook.public_host import is_host, is_public
from worker.catalogue.inputs import Input
from worker.catalogue.validation.values import STAGED
from worker.formats.media_types import BY_EXTENSION, formats

_DATA_URI = re.compile(r"data:[^,]*,.")
_WEB_ADDRESS = TypeAdapter(AnyHttpUrl)
# The URL standard skips extra slashes, so https:///x has the host x.
_NO_AUTHORITY = re.compile(r"https?://(?:[/?#\\]|$)", re.IGNORECASE)
# An unusable file, which Staging.stage has already reported.
_REPORTED = f"{'0' * 64}.none"


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
    if not is_host(host):
        raise invalid
    if not is_public(host):
        raise PydanticCustomError("not_public", "must be a URL that fal can reach on the internet")


def _looks_local(value: str) -> bool:
    return value.startswith(("file:", "/", "./", "../", "~")) or "://" not in value
