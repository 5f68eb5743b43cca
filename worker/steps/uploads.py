"""Uploads of inputs from storage to fal's CDN: once per content, for a chosen lifetime.

Redis keys:

falhook:upload:{sha256}.{ending}        string: the URL at fal, until it is too old to be used
falhook:upload:{sha256}.{ending}:lock   string: a worker is uploading this content
"""

from collections.abc import Mapping
from dataclasses import dataclass

from redis import Redis

from webhook.log import get_logger
from worker.catalogue.validation.values import STAGED
from worker.errors import Failure, Permanent, Transient
from worker.fal.cdn import Cdn
from worker.formats.media_types import type_of_name
from worker.storage import Storage
from worker.storage.layout import storage_key
from worker.types import Json

log = get_logger()

# Seconds: how long a dead worker can block an upload, and how long another worker waits for it.
LOCKED = 600.0
UPLOAD_TIMEOUT = 120.0
# A job may wait in fal's queue: a URL is not used in the last part of its lifetime.
_SPARED = 86_400


def usable(lifetime: int) -> int:
    """Return the seconds for which further jobs may use the URL of a file with this lifetime."""
    return lifetime - min(lifetime // 2, _SPARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputUploads:
    """Uploads the files that jobs refer to; fal keeps each for `lifetime` seconds."""

    cdn: Cdn
    redis: Redis
    storage: Storage
    lifetime: int

    def addressed(self, arguments: Mapping[str, Json]) -> dict[str, Json]:
        """Return the arguments with fal's URLs in place of upload:// references.

        Raises Transient or Permanent; nothing has been submitted then.
        """
        addresses: dict[str, str] = {}
        try:
            return {name: self._value(value, addresses) for name, value in arguments.items()}
        except Failure:
            raise
        except Exception as error:
            # It happened before the POST: fal has no job.
            sentence = f"an input could not be uploaded ({type(error).__name__})"
            raise Transient("upload_failed", sentence) from error

    def _value(self, value: Json, addresses: dict[str, str]) -> Json:
        match value:
            case str() if staged := STAGED.fullmatch(value):
                name = staged[1]
                if name not in addresses:
                    addresses[name] = self._address(name)
                return addresses[name]
            case list():
                return [self._value(item, addresses) for item in value]
            case dict():
                return {key: self._value(item, addresses) for key, item in value.items()}
        return value

    def _address(self, name: str) -> str:
        key = f"falhook:upload:{name}"
        if known := self._known(key):
            return known
        lock = self.redis.lock(f"{key}:lock", timeout=LOCKED, blocking_timeout=UPLOAD_TIMEOUT)
        if not lock.acquire():
            raise Transient("upload_busy", "another worker is still uploading the same input")
        try:
            # The previous owner of the lock may have uploaded it.
            if known := self._known(key):
                return known
            address = self._upload(name)
            log.info("input.uploaded", input=name, lifetime=self.lifetime)
            self.redis.set(key, address, ex=usable(self.lifetime))
        finally:
            if lock.owned():
                lock.release()
        return address

    def _known(self, key: str) -> str:
        url = self.redis.get(key)
        return url.decode() if isinstance(url, bytes) else str(url or "")

    def _upload(self, name: str) -> str:
        media = type_of_name(name)
        data = self.storage.read(storage_key(name))
        if media is None or data is None:
            raise Permanent(
                "upload_missing",
                f"{self.storage.address(storage_key(name))} does not exist: create jobs with local "
                "files with the same FALHOOK_STORAGE_URL as the workers",
            )
        return self.cdn.upload(data, content_type=media.name, name=name, lifetime=self.lifetime)
