"""Callbacks as fal sends them, fal's key host, and the receiver on a real server."""

import hashlib
import json
import socket
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import uvicorn
from nacl.signing import SigningKey
from starlette.applications import Starlette

from webhook.contract import mint_token
from webhook.server.config import configuration
from webhook.server.http_protocol import HttpLimits
from webhook.settings.settings import ReceiverSettings

SECRET = "a-secret-of-the-tests-0123456789"
USER_ID = "user-demo-0001"
FAL_KEY = SigningKey(bytes(range(32)))
REQUEST_ID = "019a9d3e-5b7c-7d10-8f42-0c6a4e21b7aa"


def content(request_id: object = REQUEST_ID, **changes: object) -> bytes:
    """Return a callback body as fal writes it."""
    fields: dict[str, object] = {
        "error": None,
        "gateway_request_id": request_id,
        "payload": {
            "video": {
                "content_type": "video/mp4",
                "file_name": "output.mp4",
                "file_size": 12345678,
                "url": "https://v3b.fal.media/files/b/0a1b2c3d/output.mp4",
            }
        },
        "request_id": request_id,
        "status": "OK",
    }
    return json.dumps({**fields, **changes}, sort_keys=True).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One callback as fal sends it; `signed` returns a valid one."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def with_(self, **headers: str) -> "Delivery":
        """Return this delivery with other headers (`request_id=…`), not signed again."""
        changed = {header_name(name): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **changed})

    def without(self, name: str) -> "Delivery":
        """Return this delivery without one header."""
        remaining = {key: value for key, value in self.headers.items() if key != header_name(name)}
        return replace(self, headers=remaining)

    def post(self, client: httpx.Client) -> httpx.Response:
        """Return the answer of the receiver at `client`'s base URL."""
        return client.post(self.path, content=self.body, headers=dict(self.headers))

    def wire(self) -> bytes:
        """Return the request's bytes, for a socket."""
        lines = [f"POST {self.path} HTTP/1.1", "Host: receiver"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode() + self.body


def header_name(name: str) -> str:
    return f"X-Fal-Webhook-{name.replace('_', '-').title()}"


def sign(key: SigningKey, parts: Sequence[str], body: bytes) -> str:
    """Return fal's signature, in hex, over request id, user id, timestamp and raw body."""
    message = "\n".join([*parts, hashlib.sha256(body).hexdigest()]).encode()
    return key.sign(message).signature.hex()


def signed(
    job_id: str = "job-1",
    *,
    attempt: int = 1,
    request_id: str = REQUEST_ID,
    user_id: str = USER_ID,
    timestamp: float | None = None,
    body: bytes | None = None,
    key: SigningKey = FAL_KEY,
    secret: str = SECRET,
) -> Delivery:
    """Return a valid callback, signed now unless `timestamp` is set."""
    body = content(request_id) if body is None else body
    stamp = str(int(time.time() if timestamp is None else timestamp))
    signature = sign(key, (request_id, user_id, stamp), body)
    values = {
        "request_id": request_id,
        "user_id": user_id,
        "timestamp": stamp,
        "signature": signature,
    }
    return Delivery(
        path=f"/webhooks/fal/{job_id}/{mint_token(secret, job_id, attempt)}",
        headers={header_name(name): value for name, value in values.items()},
        body=body,
    )


def jwk(key: SigningKey = FAL_KEY, *, padded: bool = False) -> dict[str, str]:
    """Return the public key as fal publishes it."""
    x = urlsafe_b64encode(bytes(key.verify_key)).decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x if padded else x.rstrip("=")}


def jwks(*keys: SigningKey) -> bytes:
    """Return fal's key document."""
    return json.dumps({"keys": [jwk(key) for key in keys]}).encode()


@dataclass(slots=True)
class Host:
    """A host of fal's that serves one document; `requests` counts its requests."""

    url: str = ""
    document: bytes = field(default_factory=lambda: jwks(FAL_KEY))
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    # Clear it to make requests wait, as on a host that hangs.
    answering: threading.Event = field(default_factory=threading.Event)
    arrivals: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@contextmanager
def host(document: bytes | None = None) -> Iterator[Host]:
    """Serve a document on loopback until the block ends."""
    served = Host() if document is None else Host(document=document)
    served.answering.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests += 1
            served.arrivals.release()
            served.answering.wait(30)
            self.send_response(served.status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(served.document)))
            self.end_headers()
            try:
                self.wfile.write(served.document)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}/document.json"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        served.answering.set()
        server.shutdown()
        thread.join()
        server.server_close()


def receiver_environment(redis_url: str, jwks_url: str, **changes: str) -> dict[str, str]:
    """Return the environment of a receiver."""
    return {
        "REDIS_URL": redis_url,
        "FALHOOK_PUBLIC_URL": "https://hooks.example.com",
        "FALHOOK_SECRET": SECRET,
        "FALHOOK_FAL_USER_IDS": USER_ID,
        "FALHOOK_JWKS_URL": jwks_url,
        "FALHOOK_LOG_FORMAT": "json",
        **changes,
    }


def receiver_settings(redis_url: str, jwks_url: str, **changes: str) -> ReceiverSettings:
    """Return the settings of a receiver."""
    return ReceiverSettings.from_env(receiver_environment(redis_url, jwks_url, **changes))


@contextmanager
def serving(
    app: Starlette, limits: HttpLimits | None = None, **options: object
) -> Iterator[httpx.Client]:
    """Serve `app` with falhook's own server on loopback; yield a client of it."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = configuration(app, limits, direct=getattr(app, "take", None))
    for name, value in options.items():
        setattr(config, name, value)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    # The socket already listens, so a request before the server has started just waits.
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, timeout=20) as client:
            client.get("/healthz")
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
