"""A simulated fal in its own process, and a receiver for its callbacks."""

import base64
import hashlib
import itertools
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

TEXT_TO_VIDEO = "fal-ai/kling-video/v2.1/master/text-to-video"
TIMEOUT_SECONDS = 20.0
_paths = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One received callback."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def request_id(self) -> str:
        return self.headers["x-fal-webhook-request-id"]

    def signed_by(self, jwks: dict[str, Any]) -> bool:
        """Return whether a published key signed this, by fal's documented rule."""
        digest = hashlib.sha256(self.body).hexdigest()
        names = ("request-id", "user-id", "timestamp")
        parts = [self.headers[f"x-fal-webhook-{name}"] for name in names]
        signature = bytes.fromhex(self.headers["x-fal-webhook-signature"])
        keys = (base64.urlsafe_b64decode(key["x"] + "=") for key in jwks["keys"])
        return any(_verifies(key, "\n".join([*parts, digest]), signature) for key in keys)


def _verifies(key: bytes, message: str, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(message.encode(), signature)
    except BadSignatureError:
        return False
    return True


@dataclass(slots=True, kw_only=True)
class Mailbox:
    """The callbacks received at one address; `answers` are sent in turn, then 200s.

    An answer of 0 means no response: the connection stays open until `released` is set.
    """

    url: str
    answers: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    released: threading.Event = field(default_factory=threading.Event)

    def take(self, received: Received) -> int:
        with self.changed:
            self.received.append(received)
            self.changed.notify_all()
            return self.answers.pop(0) if self.answers else 200

    def wait(self, count: int = 1) -> list[Received]:
        """Wait for `count` callbacks; return all received ones."""
        with self.changed:
            complete = self.changed.wait_for(lambda: len(self.received) >= count, TIMEOUT_SECONDS)
            assert complete, f"only {len(self.received)} of {count} callbacks were received"
            return list(self.received)


class CallbackReceiver(ThreadingHTTPServer):
    """An HTTP server that stores every callback by address."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.boxes: dict[str, Mailbox] = {}

    def mailbox(self, answers: list[int] | None = None) -> Mailbox:
        """Return a mailbox with a new address."""
        path = f"/anything/job-{next(_paths)}/secret-token"
        box = Mailbox(url=f"http://127.0.0.1:{self.server_port}{path}", answers=answers or [])
        self.boxes[path] = box
        return box


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: CallbackReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        box = self.server.boxes[self.path]
        status = box.take(Received(path=self.path, headers=headers, body=body))
        if not status:
            box.released.wait(TIMEOUT_SECONDS)
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""


@contextmanager
def receiving() -> Iterator[CallbackReceiver]:
    with CallbackReceiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            for box in receiver.boxes.values():
                box.released.set()
            receiver.shutdown()
            thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class FalOverHttp:
    """A running simulation, an HTTP client that trusts it, and a callback receiver."""

    environment: dict[str, str]
    http: httpx.Client
    receiver: CallbackReceiver
    process: subprocess.Popen[str]
    log: Path

    def submit(self, mishaps: str = "", *, box: Mailbox | None = None, **more: Any) -> str:
        """Submit a job with `mishaps` in its prompt; return its request id."""
        answer = self.post(mishaps, box=box, **more)
        assert 200 == answer.status_code, answer.text
        return str(answer.json()["request_id"])

    def post(
        self,
        mishaps: str = "",
        *,
        box: Mailbox | None = None,
        endpoint: str = TEXT_TO_VIDEO,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        prompt = f"a heron at dawn [[sim: {mishaps}]]" if mishaps else "a heron at dawn"
        query = {"fal_webhook": box.url} if box else {}
        body = {"prompt": prompt, "duration": "5"} | arguments
        return self.http.post(
            f"/{endpoint}", params=query | (params or {}), json=body, headers=headers
        )

    def delivered(self, mishaps: str = "", *, count: int = 1, **more: Any) -> list[Received]:
        """Submit a job; return its first `count` callbacks."""
        box = self.receiver.mailbox()
        self.submit(mishaps, box=box, **more)
        return box.wait(count)

    def file_url(self, mishaps: str = "", **more: Any) -> str:
        """Render a clip; return the address of its file."""
        return str(self.delivered(mishaps, **more)[0].json["payload"]["video"]["url"])

    def counts(self) -> Any:
        return self.http.get("/_sim/counts").json()

    def jwks(self) -> Any:
        return self.http.get("/.well-known/jwks.json").json()

    def wait(self, event: str, request_id: str = "", count: int = 1) -> httpx.Response:
        query = {"event": event, "count": str(count), "timeout": str(TIMEOUT_SECONDS)}
        answer = self.http.get("/_sim/wait", params=query | {"request_id": request_id})
        assert 200 == answer.status_code, answer.text
        return answer


@contextmanager
def fal_running(directory: Path, *options: str, speed: float = 100) -> Iterator[FalOverHttp]:
    """Run a simulation in a new process; all of them share a cache of clips."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "log"
    command = [sys.executable, "-m", "infra.local.fal", "--directory", str(directory)]
    command += ["--media-cache", str(directory.parent / "clips"), "--speed", str(speed)]
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [*command, "--render-seconds", "1", *options],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
        receiving() as receiver,
    ):
        try:
            assert process.stdout is not None
            announcement = json.loads(process.stdout.readline())
            context = ssl.create_default_context(cafile=announcement["ca_file"])
            headers = {"Authorization": f"Key {announcement['environment']['FAL_KEY']}"}
            with httpx.Client(
                base_url=announcement["url"],
                verify=context,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
            ) as http:
                yield FalOverHttp(
                    environment=announcement["environment"],
                    http=http,
                    receiver=receiver,
                    process=process,
                    log=log,
                )
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_SECONDS)


def run_client(fal: FalOverHttp, code: str, *arguments: str) -> str:
    """Run Python `code` in a new process with fal's environment; return its output."""
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **fal.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == process.returncode, process.stderr
    return process.stdout
