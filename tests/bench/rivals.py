"""The receiver's rivals: `python -m tests.bench.rivals bare|verify_only|naive`.

`naive` follows fal's documentation: FastAPI, PyNaCl and Celery's delay(). falhook does not depend
on FastAPI; see tests/bench/fastapi_venv.py.
"""

import hashlib
import importlib
import os
import sys
import time
from typing import Any

import uvicorn
from celery import Celery
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATH = "/webhooks/fal/{job_id}/{token}"


def verified(headers: Any, body: bytes, key: VerifyKey) -> bool:
    """Check a callback as fal's documentation describes."""
    timestamp = headers["x-fal-webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        return False
    message = "\n".join(
        [
            headers["x-fal-webhook-request-id"],
            headers["x-fal-webhook-user-id"],
            timestamp,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    try:
        key.verify(message.encode(), bytes.fromhex(headers["x-fal-webhook-signature"]))
    except BadSignatureError:
        return False
    return True


def bare() -> Starlette:
    """Return the framework's limit: read the body and answer."""

    async def callback(request: Request) -> Response:
        await request.body()
        return JSONResponse({"outcome": "accepted"})

    return Starlette(routes=[Route(PATH, callback, methods=["POST"])])


def verify_only(key: VerifyKey) -> Starlette:
    """Return an application that verifies the signature and answers, but stores nothing."""

    async def callback(request: Request) -> Response:
        is_valid = verified(request.headers, await request.body(), key)
        return JSONResponse({"outcome": "accepted"}, 200 if is_valid else 401)

    return Starlette(routes=[Route(PATH, callback, methods=["POST"])])


def naive(key: VerifyKey, broker: str) -> Any:
    """Return a FastAPI application that verifies and sends one task for each callback."""
    fastapi: Any = importlib.import_module("fastapi")
    celery = Celery("naive", broker=broker)

    @celery.task(name="naive.ingest", ignore_result=True)
    def ingest(payload: dict[str, Any]) -> None:
        """Never run here."""

    app = fastapi.FastAPI()

    @app.post(PATH)  # type: ignore[untyped-decorator]
    async def callback(request: Request) -> dict[str, str]:
        body = await request.body()
        if not verified(request.headers, body, key):
            raise fastapi.HTTPException(401)
        ingest.delay(await request.json())
        return {"outcome": "accepted"}

    return app


def main() -> None:
    key = VerifyKey(bytes.fromhex(os.environ["BENCH_KEY"]))
    match sys.argv[1]:
        case "bare":
            app = bare()
        case "verify_only":
            app = verify_only(key)
        case _:
            app = naive(key, os.environ["BENCH_BROKER"])
    uvicorn.run(
        app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main()
