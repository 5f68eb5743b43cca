"""What settings of the pipeline must look like; each raises ValueError with what would be right."""

import re
from pathlib import Path

from pydantic import SecretStr

from worker.transcode.profiles import Profile


def keyed(value: SecretStr) -> SecretStr:
    """A key of fal's, which has the form <id>:<secret> (https://docs.fal.ai)."""
    key_id, colon, secret = value.get_secret_value().partition(":")
    if not (key_id and colon and secret):
        raise ValueError("must have the form <id>:<secret>")
    return value


def program(value: str) -> str:
    """The path of a file that exists, or nothing."""
    if value and not Path(value).is_file():
        raise ValueError("names no file")
    return value


def directory(value: Path | None) -> Path | None:
    """A directory that exists, or nothing."""
    if value is not None and not value.is_dir():
        raise ValueError("names no directory: make it, or leave the setting out")
    return value


def profile(value: str) -> str:
    """A profile of deliveries."""
    Profile.parse(value)
    return value


def host(value: str) -> str:
    """A host, with a port where it has one, and nothing else."""
    found = re.fullmatch(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[^/]*))?", value)
    if found is None:
        raise ValueError("must be a host alone (host or host:port), without https:// and path")
    if (port := found["port"]) is not None and not re.fullmatch(r"[1-9][0-9]{0,4}", port):
        raise ValueError("has a port that is no number from 1 to 65535")
    return value


def download_hosts(value: str) -> str:
    """Hosts that results may come from."""
    # Imported here since it brings an HTTP client, for which the command line would wait.
    from worker.fal.download import AllowedHosts  # noqa: PLC0415

    try:
        AllowedHosts.parse(value)
    except ValueError as error:
        raise ValueError(str(error).replace("FALHOOK_DOWNLOAD_HOSTS: ", "is wrong: ")) from None
    return value
