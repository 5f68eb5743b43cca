"""Objects under keys, in the storage that FALHOOK_STORAGE_URL names.

A local directory, S3, Google Cloud Storage, Azure or (for tests) memory, through obstore.
Credentials come from the provider's usual environment variables, never from the URL:
https://developmentseed.org/obstore/latest/authentication/
"""

from worker.storage.health import require_usable
from worker.storage.storage import CHUNK_BYTES, Storage, StoredObject, file_record

__all__ = ["CHUNK_BYTES", "Storage", "StoredObject", "file_record", "require_usable"]
