"""The keys that a command lists or revokes, for which it needs no secret."""

from typing import TYPE_CHECKING

from webhook.settings.redis_url import read_redis_url

if TYPE_CHECKING:
    from worker.api_keys.store import ApiKeys


def open_keys() -> "ApiKeys":
    """Return the keys in the Redis at REDIS_URL. Raises SettingsError if REDIS_URL is missing."""
    url = read_redis_url()
    from worker.api_keys.store import ApiKeys
    from worker.jobs.store import connect

    return ApiKeys(connect(url))
