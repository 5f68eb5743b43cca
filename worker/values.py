"""What settings of the pipeline must look like; each raises ValueError with what would be right."""

from pathlib import Path

from pydantic import SecretStr

from worker.profiles import Profile


def keyed(value: SecretStr) -> SecretStr:
    """A key of fal's, which has the form <id>:<secret> (https://docs.fal.ai)."""
    key_id, colon, secret = value.get_secret_value().partition(":")
    if not (key_id and colon and secret):
        raise ValueError("must have the form <id>:<secret>")
    return value


def program(value: str) -> str:
    """The path of a file that exists, or nothing."""
    if value and not Path(value).is_file():
        raise ValueError(f"names no file: {value}")
    return value


def directory(value: Path | None) -> Path | None:
    """A directory that exists, or nothing."""
    if value is not None and not value.is_dir():
        raise ValueError(f"names no directory: {value}. Make it, or leave the setting out")
    return value


def profile(value: str) -> str:
    """A profile of deliveries."""
    Profile.parse(value)
    return value
