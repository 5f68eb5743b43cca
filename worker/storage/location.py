"""The location of a storage, and the failures that name it."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from worker.errors import Permanent, Transient
from worker.storage import local_directory

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for another provider, "
    "AWS_ENDPOINT_URL (with AWS_ALLOW_HTTP=true if it begins with http://)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """What FALHOOK_STORAGE_URL names; `root` is set if that is a directory of this machine."""

    url: str
    root: Path | None = None

    def address(self, key: str) -> str:
        """Return the path or URL of the object for people; of the storage for an empty key."""
        place = str(self.root) if self.root is not None else self.url.rstrip("/")
        return f"{place}/{key}" if key else place

    def require(self) -> None:
        """Return if a local directory exists and is marked; a remote store is not checked.

        Raises Transient("storage_unwritable") otherwise: the directory may only not be mounted.
        """
        if self.root is not None and not local_directory.is_marked(self.root):
            marker = self.root / local_directory.MARKER
            raise Transient(
                "storage_unwritable",
                f"FALHOOK_STORAGE_URL={self.url}: {marker} is missing, so this is not (or not yet) "
                "the storage of the workers; mount or restore it. The first worker of a new "
                "deployment creates it",
            )

    def unwritable(self, detail: str) -> Permanent:
        """Return the failure with the setting, its value and the correction."""
        correction = "make it a directory that this user can write to"
        if self.root is None:
            correction = f"check that it exists, and set {credentials(self.url)}"
        return Permanent(
            "storage_unwritable",
            f"FALHOOK_STORAGE_URL={self.url} cannot be written to ({detail}); {correction}",
        )


def credentials(url: str) -> str:
    """Return the environment variables with the credentials of a remote store, as a phrase."""
    return _CREDENTIALS.get(urlsplit(url).scheme[:2], _CREDENTIALS["az"])
