"""The whole local stack with pages of its console in a real browser."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from playwright.sync_api import Browser, BrowserContext, Page

from infra.local.environment import remove_deployment_settings
from infra.local.stack import ROOT, Stack, stack
from tests.factories.chromium import PATIENCE

TEXT = "fal-ai/kling-video/v2.5-turbo/pro/text-to-video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """A running stack, and a browser for people at its console.

    `hosts` are all that the pages asked, `errors` what the browser complained about.
    """

    stack: Stack
    browser: Browser
    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the API's process."""
        return self.stack.settings["FALHOOK_API_URL"]

    def person(self, **options: object) -> BrowserContext:
        """Return a browser's profile that is signed in by a link, as `make local` prints it."""
        context = self.browser.new_context(base_url=self.url, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        context.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        page = context.new_page()
        page.goto(self.link())
        page.close()
        return context

    def link(self) -> str:
        """Return a link that signs in."""
        key = self.stack.settings["FALHOOK_API_KEY"]
        made = httpx.post(f"{self.url}/console/links", headers={"Authorization": f"Bearer {key}"})
        assert 201 == made.status_code, made.text
        return self.url + made.text.strip()

    def create(self, prompt: str, endpoint: str = TEXT, **metadata: str) -> str:
        """Create a job with these metadata as a program does; return its id."""
        key = self.stack.settings["FALHOOK_API_KEY"]
        body = {"endpoint": endpoint, "arguments": {"prompt": prompt}, "metadata": metadata}
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{self.url}/v1/jobs", json=body, headers=headers, timeout=60)
        assert 201 == answer.status_code, answer.text
        return str(answer.json()["id"])


@contextmanager
def console(directory: Path, browser: Browser) -> Iterator[Console]:
    """Run the stack, whose renders take a second, until the block ends."""
    environ = dict(os.environ)
    remove_deployment_settings(environ)
    environ.pop("REDIS_URL", None)
    environ["FALHOOK_PROFILE"] = "web+storyboard"
    options = ("--render-seconds", "1", "--media-cache", str(ROOT / "var" / "media-cache"))
    with stack(directory, lambda *_: None, environ=environ, fal_options=options) as running:
        yield Console(stack=running, browser=browser)


def submitted(page: Page, prompt: str) -> str:
    """Create a job with the form; return its id, whose page is open then."""
    page.goto(f"/console/new?endpoint={TEXT}")
    page.get_by_label("prompt", exact=True).fill(prompt)
    page.get_by_role("button", name="Show the price").click()
    page.get_by_role("button", name="Create the job for").click()
    page.wait_for_url("**/console/jobs/*?done=created")
    return page.url.split("/")[-1].split("?")[0]
