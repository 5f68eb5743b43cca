"""Uploads of inputs: the tokens for the CDN, and the uploaded files."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_TOKEN_LIFETIME = timedelta(minutes=10)
_OK = 200


@dataclass(slots=True, kw_only=True)
class Upload:
    """One uploaded file, in one piece or in parts."""

    name: str
    content_type: str
    lifecycle: str
    way: str
    data: bytes = b""
    parts: dict[int, bytes] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Return a summary of the file for people and tests."""
        return {
            "name": self.name,
            "content_type": self.content_type,
            "lifecycle": self.lifecycle,
            "way": self.way,
            "bytes": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
        }


class UploadStore:
    """The uploaded files by key; `url` is the origin, `key` the account's API key.

    `status` holds the HTTP status to answer each way of uploading with; 200 if missing.
    """

    def __init__(self, *, url: str, key: str) -> None:
        self.url, self._key = url, key
        self._token = secrets.token_urlsafe(16)
        self.clear()

    def clear(self) -> None:
        """Forget every file and every `status`."""
        self._files: dict[str, Upload] = {}
        self.status: dict[str, int] = {}

    def summaries(self) -> dict[str, Any]:
        """Return a summary of every finished upload by its address."""
        finished = ((key, file) for key, file in self._files.items() if file.data)
        return {self.address(key): file.summary() for key, file in finished}

    def refusal(self, request: Request, way: str) -> Response | None:
        """Return the error response to an unauthorised request or due to `status`, else None."""
        if (status := self.status.get(way, _OK)) != _OK:
            return JSONResponse({"detail": "Uploads are not available"}, status)
        scheme = "Key" if way in {"token", "bucket"} else "Bearer"
        secret = self._key if scheme == "Key" else self._token
        authorization = request.headers.get("authorization", "").encode()
        if hmac.compare_digest(authorization, f"{scheme} {secret}".encode()):
            return None
        return JSONResponse({"detail": "Invalid credentials"}, 401)

    def token(self) -> dict[str, str]:
        """Return a token for the CDN, which is this server."""
        expires = datetime.now(UTC) + _TOKEN_LIFETIME
        return {
            "token": self._token,
            "token_type": "Bearer",
            "base_url": self.url,
            "expires_at": expires.isoformat(),
        }

    def begin(self, way: str, *, name: str, content_type: str, lifecycle: str) -> str:
        """Start an upload; return the key of its file."""
        key = f"{secrets.token_hex(8)}_{name or 'upload.bin'}"
        self._files[key] = Upload(
            name=name, content_type=content_type, lifecycle=lifecycle, way=way
        )
        return key

    def file(self, key: str) -> Upload | None:
        """Return the file of `key`, finished or not, or None."""
        return self._files.get(key)

    def address(self, key: str) -> str:
        """Return the address of the file of `key`."""
        return f"{self.url}/files/u/{key}"
