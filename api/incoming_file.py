"""A body as a file: received in parts by a thread, bounded in bytes and in time."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

from anyio import from_thread
from starlette.requests import ClientDisconnect, Request

from api.problems import ProblemError

# Bytes that are in memory at once, and the seconds in which they must arrive.
PART_BYTES = 1024 * 1024
PART_SECONDS = 60.0


class IncomingFile:
    """The body of a request, of at most `most` bytes; a part may take `seconds`."""

    def __init__(self, request: Request, *, most: int, seconds: float) -> None:
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length[:15]) > most:
            raise _too_large(most)
        self._chunks = aiter(request.stream())
        self._most = most
        self._seconds = seconds

    def write(self, path: Path) -> str:
        """Write the body to the file; return its sha256, hexadecimal. Call it in a thread.

        Raises ProblemError if the client sends too much, is too slow or goes away, and OSError.
        """
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for part in self._parts():
                if file.tell() + len(part) > self._most:
                    raise _too_large(self._most)
                digest.update(part)
                file.write(part)
        return digest.hexdigest()

    def _parts(self) -> Iterator[bytes]:
        while part := from_thread.run(self._part):
            yield part

    async def _part(self) -> bytes:
        part = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                while len(part) < PART_BYTES:
                    chunk = await anext(self._chunks, None)
                    if chunk is None:
                        break
                    part += chunk
        except TimeoutError:
            detail = f"{PART_BYTES:,} bytes, or the rest, took more than {self._seconds:g} s"
            raise ProblemError("too_slow", detail, headers={"Connection": "close"}) from None
        except ClientDisconnect:
            raise ProblemError("bad_request", "the connection ended within the body") from None
        return bytes(part)


def _too_large(most: int) -> ProblemError:
    return ProblemError("too_large", f"the file may have at most {most:,} bytes")
