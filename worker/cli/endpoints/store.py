"""The endpoints that a command works on."""

from typing import TYPE_CHECKING

from webhook.settings.redis_url import read_redis_url
from worker.cli.errors import CliError

if TYPE_CHECKING:
    from worker.notifications.endpoint import Endpoint
    from worker.notifications.endpoints import Endpoints


def open_endpoints(*, with_keys: bool = False) -> "Endpoints":
    """Return the endpoints in the Redis at REDIS_URL.

    Only `with_keys` it needs FALHOOK_SECRET. Raises SettingsError for a setting that is missing.
    """
    url = read_redis_url()
    from webhook.settings.settings import Secrets
    from worker.jobs.store import connect
    from worker.notifications.endpoints import Endpoints
    from worker.notifications.target import TargetRules
    from worker.settings.creation import CreationSettings

    secrets = Secrets.from_env().secrets if with_keys else ()
    rules = TargetRules.of(CreationSettings.from_env())
    return Endpoints(connect(url), secrets, rules=rules)


def find_endpoint(endpoints: "Endpoints", endpoint_id: str) -> "Endpoint":
    """Return the endpoint, or raise a CliError that names the id."""
    found = endpoints.get(endpoint_id)
    if found is None:
        raise CliError(
            f"Endpoint {endpoint_id} does not exist; `falhook endpoints list` shows all."
        )
    return found
