"""A person with a browser that runs no scripts, at the pages of the console."""

import re
from dataclasses import dataclass
from html import unescape

import httpx

from tests.factories.apis import RunningApi
from worker.api_keys.scopes import USUAL, Scope

OURS = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is signed in; `http` has the cookie and follows no redirect by itself."""

    http: httpx.Client
    token: str

    def page(self, path: str, status: int = 200) -> str:
        """Return the text of a page."""
        answer = self.http.get(path)
        assert status == answer.status_code, (answer.status_code, answer.headers, answer.text)
        return answer.text

    def send(self, path: str, *, page: str = "", **fields: str) -> httpx.Response:
        """Send a form with the hidden fields of the forms of a page, by default of the board."""
        hidden = hidden_fields(self.page(page or "/console"))
        return self.http.post(path, data={**hidden, **fields}, headers=OURS)


def hidden_fields(page: str) -> dict[str, str]:
    """Return the hidden fields of all forms of a page, by name."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: unescape(value) for name, value in found}


def visitor(
    running: RunningApi, tenant: str = "default", scopes: frozenset[Scope] = USUAL
) -> Visitor:
    """Return somebody who has signed in with a new key."""
    token = running.token(tenant, scopes)
    http = running.opened.enter_context(httpx.Client(base_url=running.url, timeout=60))
    answer = http.post("/console/login", data={"key": token}, headers=OURS)
    assert 303 == answer.status_code, answer.text
    return Visitor(http=http, token=token)
