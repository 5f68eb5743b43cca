"""Receivers of webhooks: `python -m tests.bench.slow_receivers SECONDS KIND…`.

A `healthy` one answers 200 after so many seconds, a `hole` accepts and never answers, a `drip`
sends its head byte by byte. Prints their addresses, then a line for each message: Unix time,
receiver, job.
"""

import asyncio
import json
import sys
import time

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    fields = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    length = next(int(value) for name, _, value in fields if name == b"content-length")
    return await reader.readexactly(length)


async def _serve(kind: str, seconds: float) -> tuple[str, asyncio.Server]:
    url = ""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                body = await _request(reader)
                job = json.loads(body)["data"]["id"]
                sys.stdout.write(f"{time.time():.6f} {url} {job}\n")
                sys.stdout.flush()
                if kind == "hole":
                    await reader.read()
                    return
                if kind == "drip":
                    for byte in _OK:
                        writer.write(bytes([byte]))
                        await writer.drain()
                        await asyncio.sleep(1.0)
                    return
                await asyncio.sleep(seconds)
                writer.write(_OK)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=256)
    url = f"http://localhost:{server.sockets[0].getsockname()[1]}/"
    return url, server


async def main(seconds: float, kinds: list[str]) -> None:
    started = [await _serve(kind, seconds) for kind in kinds]
    sys.stdout.write(" ".join(url for url, _ in started) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), sys.argv[2:]))
