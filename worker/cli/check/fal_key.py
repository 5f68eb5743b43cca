"""The probe of `falhook check` that tries FAL_KEY with one free request."""

import time
from email.utils import parsedate_to_datetime

import httpx

from worker.cli.check.network import TIMEOUT
from worker.cli.check.warning import CheckWarning
from worker.cli.errors import CliError
from worker.fal.errors import error_text
from worker.settings.settings import Settings

_REFUSED = frozenset({401, 402, 403})
# fal's Date has whole seconds, and the receiver accepts callbacks that are up to 300 s old.
_CLOCK = 60.0


def fal(settings: Settings) -> str:
    """Ask fal for an upload token, which needs a valid key and costs nothing."""
    url = f"https://{settings.fal_rest_host}/storage/auth/token"
    headers = {"Authorization": f"Key {settings.fal_key.get_secret_value()}"}
    try:
        response = httpx.post(
            url,
            params={"storage_type": "fal-cdn-v3"},
            json={},
            headers=headers,
            timeout=TIMEOUT,
        )
    except httpx.HTTPError as error:
        raise CliError(
            f"FAL_REST_HOST={settings.fal_rest_host} cannot be reached "
            f"({type(error).__name__}: {error}); check the network and the proxy of this machine"
        ) from error
    status = response.status_code
    if status in _REFUSED:
        raise CliError(
            f"fal refuses FAL_KEY ({status}: {error_text(response)}); check the key and the "
            "balance of its account at https://fal.ai/dashboard, correct FAL_KEY, and restart the "
            "workers"
        )
    if not response.is_success:
        raise CheckWarning(f"FAL_KEY was not tried: {url} answered {status}; run the check again")
    _check_clock(response)
    return f"{settings.fal_rest_host} accepts FAL_KEY"


def _check_clock(response: httpx.Response) -> None:
    try:
        ahead = time.time() - parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return
    if abs(ahead) > _CLOCK:
        raise CliError(
            f"fal accepts FAL_KEY, but this machine's clock is {abs(ahead):.0f} s "
            f"{'ahead of' if ahead > 0 else 'behind'} fal's; synchronise it by NTP: the receiver "
            "refuses callbacks whose time differs by more than 300 s"
        )
