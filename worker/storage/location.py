"""Where a storage is, as people name it."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from worker.errors import Permanent, Transient
from worker.storage import local_directory
from worker.storage.local_directory import STAGING

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for another provider, "
    "AWS_ENDPOINT_URL (with AWS_ALLOW_HTTP=true where it begins with http://)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


def credentials(url: str) -> str:
    """The environment variables that a remote store reads its credentials from, as a sentence."""
    return _CREDENTIALS.get(urlsplit(url).scheme[:2], _CREDENTIALS["az"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """What FALHOOK_STORAGE_URL names; `root` where that is a directory of this machine."""

    url: str
    root: Path | None = None

    def address(self, key: str) -> str:
        """Where a person finds the object; an empty key is the place itself."""
        place = str(self.root) if self.root is not None else self.url.rstrip("/")
        return f"{place}/{key}" if key else place

    def require(self) -> None:
        """Nothing, where the directory is the one that was made; a store elsewhere is not asked.

        Raises Transient("storage_unwritable") while it is gone: it may only be not mounted.
        """
        if self.root is not None and not local_directory.is_there(self.root):
            marker = self.root / local_directory.NAME
            raise Transient(
                "storage_unwritable",
                f"FALHOOK_STORAGE_URL={self.url}: {marker} is missing, so that this is not (or not "
                "yet) the storage of the workers; mount or put it back, or start a worker, which "
                "makes a new one",
            )

    def unwritable(self, detail: str) -> Permanent:
        """The failure that names the setting, its value and the cure."""
        cure = "make it a directory that this user may write to"
        if self.root is None:
            cure = f"see that it exists, and set {credentials(self.url)}"
        return Permanent(
            "storage_unwritable",
            f"FALHOOK_STORAGE_URL={self.url} cannot be written to ({detail}); {cure}",
        )


def checked(key: str) -> str:
    """`key` itself. Raises ValueError where the kinds of stores would not agree on its meaning."""
    segments = key.split("/")
    if any(part in {"", ".", ".."} or STAGING.search(part) for part in segments):
        raise ValueError(f"{key!r} is no key: relative, no empty or dotted part, no #number ending")
    if not key.isprintable() or "\\" in key:
        raise ValueError(f"{key!r} is no key: it holds a control character or a backslash")
    return key
