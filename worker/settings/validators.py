"""Validators of single settings; each raises ValueError with the end of a sentence."""

import re
from pathlib import Path

from pydantic import SecretStr

from webhook.settings.validators import origin


def fal_key(value: SecretStr) -> SecretStr:
    """Return `value` if it has the form of fal's keys, <id>:<secret> (https://docs.fal.ai)."""
    key_id, colon, secret = value.get_secret_value().partition(":")
    if not (key_id and colon and secret):
        raise ValueError("must have the form <id>:<secret>")
    return value


def optional_origin(value: str) -> str:
    """Return `value` if it is an origin such as https://api.example.com, or empty."""
    return origin(value) if value else value


def existing_file(value: str) -> str:
    """Return `value` if it is the path of a file, or empty."""
    if value and not Path(value).is_file():
        raise ValueError("is not an existing file")
    return value


def host(value: str) -> str:
    """Return `value` if it is a host, optionally with a port."""
    match = re.fullmatch(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[^/]*))?", value)
    if match is None:
        raise ValueError("must be host or host:port, without https:// and path")
    if (port := match["port"]) is not None and not re.fullmatch(r"[1-9][0-9]{0,4}", port):
        raise ValueError("must have a port from 1 to 65535")
    return value


def download_hosts(value: str) -> str:
    """Return `value` if it is a list of hosts for `AllowedHosts`."""
    # Imported here because it imports an HTTP client, which would slow the command line down.
    from worker.fal.download import AllowedHosts  # noqa: PLC0415

    try:
        AllowedHosts.parse(value)
    except ValueError as error:
        message = str(error).replace("FALHOOK_DOWNLOAD_HOSTS: ", "cannot be used: ")
        raise ValueError(message) from None
    return value


def retention(value: str) -> str:
    """Return `value` if it lists the periods for which records are kept."""
    from worker.retention.periods import RetentionPeriods  # noqa: PLC0415

    RetentionPeriods.parse(value)
    return value
