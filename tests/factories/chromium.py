"""Pages in Debian's Chromium, driven by Playwright."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.factories.browser import browser

# Milliseconds that a loaded machine may take for anything.
PATIENCE = 60_000


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser until the block ends; skip the test without Chromium."""
    program = browser()
    flags = ["--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage"]
    if os.getuid() == 0:
        flags.append("--no-sandbox")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=flags, timeout=PATIENCE)
        try:
            yield started
        finally:
            started.close()
