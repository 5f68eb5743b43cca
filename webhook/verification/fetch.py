"""Fetching of fal's small public documents, with limits on size and time."""

import asyncio
from typing import Protocol

import httpx

from webhook.log import words_of

MAX_DOCUMENT = 64 * 1024
# Seconds. Callbacks may wait for the keys, and fal gives up on a callback after 15 s.
TIMEOUT = 5.0


class FetchBytes(Protocol):
    """A function that returns a document; raises OSError or ValueError if it cannot."""

    async def __call__(self) -> bytes: ...


def fetcher(url: str) -> FetchBytes:
    """Return a function that fetches `url`: MAX_DOCUMENT bytes, TIMEOUT seconds, no redirects."""
    # Loading certificates blocks the event loop for milliseconds, so it is done once.
    context = httpx.create_ssl_context()

    async def fetch() -> bytes:
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                httpx.AsyncClient(verify=context, follow_redirects=False) as client,
                # Not compressed, so that a small response cannot expand into a large one.
                client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
            ):
                return await _document(response)
        except httpx.HTTPError as error:
            raise OSError(words_of(error)) from None

    return fetch


async def _document(response: httpx.Response) -> bytes:
    if response.status_code != httpx.codes.OK:
        raise ValueError(f"status {response.status_code}")
    document = bytearray()
    async for chunk in response.aiter_raw():
        document += chunk
        if len(document) > MAX_DOCUMENT:
            raise ValueError(f"larger than {MAX_DOCUMENT} bytes")
    return bytes(document)
