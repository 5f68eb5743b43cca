"""A receiver of webhooks in a process of its own, which is killed and started again on its port.

`python -m tests.factories.killable_receiver PORT SEED REFUSED` answers 200, or 500 to that part of
the messages when they come for the first time. It prints each message before it answers: what it
has answered has come.
"""

import json
import random
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.bench.programs import free_port


class Came(NamedTuple):
    """A message that came."""

    id: str
    job: str
    n: int


class KillableReceiver:
    """The process, and all that came to it and those before it."""

    def __init__(self, guard: ProcessGuard, *, seed: int, refused: float) -> None:
        self._guard = guard
        self._port = free_port()
        self._options = [str(seed), str(refused)]
        self.url = f"http://localhost:{self._port}/"
        self.came: list[Came] = []
        self._process, self._reader = self._started()

    def _started(self) -> "tuple[subprocess.Popen[bytes], threading.Thread]":
        program = [sys.executable, "-m", "tests.factories.killable_receiver", str(self._port)]
        process = self._guard.spawn([*program, *self._options], output=subprocess.PIPE, cwd=ROOT)
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        return process, reader

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                # A killed process may leave a part of its last line.
                if line.startswith(b"[") and line.endswith(b"]\n"):
                    self.came.append(Came(*json.loads(line)))

    def kill(self) -> None:
        """Kill it, and start another."""
        self.end()
        self._process, self._reader = self._started()

    def end(self) -> None:
        """Kill it; return once all that it printed has been read."""
        self._process.kill()
        self._process.wait()
        self._guard.release(self._process)
        self._reader.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main(port: int, seed: int, refused: float) -> None:
    rng, printing, seen = random.Random(seed), threading.Lock(), set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            data, name = json.loads(body)["data"], self.headers["webhook-id"]
            with printing:
                sys.stdout.write(json.dumps([name, data["id"], data["n"]]) + "\n")
                sys.stdout.flush()
                is_refused = name not in seen and rng.random() < refused
                seen.add(name)
            self.send_response(500 if is_refused else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    _Server(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
