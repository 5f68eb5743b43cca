"""Small public documents of fal's: keys and addresses, fetched over https and bounded."""

import asyncio
from typing import Protocol

import httpx

MAX_DOCUMENT = 64 * 1024
# fal gives up on a callback after 15 s, and callbacks may be waiting for the keys.
TIMEOUT = 5.0


class FetchBytes(Protocol):
    """Gets a document; raises OSError or ValueError when it cannot."""

    async def __call__(self) -> bytes: ...


def fetcher(url: str) -> FetchBytes:
    """Gets the document at `url`: at most MAX_DOCUMENT bytes, within TIMEOUT s, no redirects."""
    # Loading the certificates takes milliseconds in which no callback is answered: once will do.
    context = httpx.create_ssl_context()

    async def fetch() -> bytes:
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                httpx.AsyncClient(verify=context, follow_redirects=False) as client,
                # Not compressed, so that a small answer cannot unfold into a large one.
                client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
            ):
                return await _document(response)
        except httpx.HTTPError as error:
            raise OSError(type(error).__name__) from None

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
