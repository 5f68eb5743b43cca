"""Objects under keys, at the place that FALHOOK_STORAGE_URL names.

A local directory, S3, Google Cloud Storage, Azure or (for tests) memory, through obstore.
Credentials come from the provider's usual environment, never from the URL:
https://developmentseed.org/obstore/latest/authentication/
"""

from worker.storage.objects import Storage
from worker.storage.usable import require_usable

__all__ = ["Storage", "require_usable"]
