"""A server process of ours, with its log as a queue of events."""

import json
import queue
import subprocess
import threading
from typing import Any

import httpx
import psutil


class RunningServer:
    """A server, with all of its processes."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.logged: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(json.loads(line))

    def wait_for(self, event: str, count: int = 1, seconds: float = 60.0) -> list[dict[str, Any]]:
        """Return the first `count` lines of this event since the start, as soon as there are."""
        while len(found := [line for line in self.logged if line["event"] == event]) < count:
            self.logged.append(self._lines.get(timeout=seconds))
        return found

    def children(self) -> list[int]:
        """Return the ids of its child processes."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def client(self) -> httpx.Client:
        """Return a client that opens a connection for each request, as many callers would."""
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.Client(base_url=self.url, timeout=30, limits=limits)
