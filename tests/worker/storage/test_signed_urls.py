"""Addresses of objects for those without credentials, at each remote store."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.factories.plain_s3 import plain_s3
from worker.errors import Transient
from worker.storage import Storage

KEY = "published/j1/hls/a b&c+d=1.mp4"


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """The objects of an S3 store."""
    with plain_s3(monkeypatch) as objects:
        yield objects


def signature(url: str, secret: str) -> str:
    """Return the AWS signature, version 4, of a GET of this URL.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    parts = urlsplit(url)
    fields = [(n, v) for n, v in parse_qsl(parts.query) if n != "X-Amz-Signature"]
    query = urlencode(sorted(fields), quote_via=quote, safe="-_.~")
    path = quote(unquote(parts.path), safe="/-_.~")
    request = f"GET\n{path}\n{query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    given = dict(fields)
    scope = given["X-Amz-Credential"].partition("/")[2]
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{given['X-Amz-Date']}\n{scope}\n{hashed}"
    key = f"AWS4{secret}".encode()
    for step in (*scope.split("/"), text):
        key = hmac.digest(key, step.encode(), "sha256")
    return key.hex()


def test_an_s3_address_has_awss_signature(objects: dict[str, bytes]) -> None:
    """It works for the seconds, gets the object, and its signature is the one that AWS computes."""
    storage = Storage.open("s3://bucket/p")
    storage.put(KEY, b"clip", content_type="video/mp4")
    url = storage.signed_url(KEY, seconds=900.0)
    fields = parse_qs(urlsplit(url).query)
    assert ["900"] == fields["X-Amz-Expires"]
    assert [signature(url, "b")] == fields["X-Amz-Signature"]
    assert b"clip" == httpx.get(url).content


def test_an_azure_address_allows_reading_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a shared access signature for one blob, and no request is made for it."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", base64.b64encode(b"k" * 32).decode())
    url = Storage.open("az://container/p").signed_url("a/b.mp4", seconds=900.0)
    fields = parse_qs(urlsplit(url).query)
    assert url.startswith("https://account.blob.core.windows.net/container/p/a/b.mp4?")
    assert (["r"], ["b"]) == (fields["sp"], fields["sr"])
    assert "sig" in fields


def test_a_google_address_is_signed_by_the_service_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is signed with the account's own key, and no request is made for it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {
        "type": "service_account",
        "private_key": text,
        "private_key_id": "1",
        "client_email": "falhook@example.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    url = Storage.open("gs://bucket/p").signed_url("a/b.mp4", seconds=900.0)
    fields = parse_qs(urlsplit(url).query)
    assert url.startswith("https://storage.googleapis.com/bucket/p/a/b.mp4?")
    assert ["900"] == fields["X-Goog-Expires"]
    assert fields["X-Goog-Credential"][0].startswith(account["client_email"])


@pytest.mark.parametrize("kind", ["directory", "memory"])
def test_only_remote_stores_sign(kind: str, tmp_path: Path) -> None:
    """Nothing outside the process can fetch from a directory or from memory."""
    storage = Storage.open(str(tmp_path / "store") if kind == "directory" else "memory://")
    with pytest.raises(ValueError, match="no signed URLs"):
        storage.signed_url("a", seconds=1.0)


def test_a_file_is_known_by_its_path(tmp_path: Path) -> None:
    """In a directory an object is a file; a remote store has none, and a path stays below it."""
    storage = Storage.open(str(tmp_path / "store"))
    storage.put("a/b.mp4", b"clip", content_type="video/mp4")
    path = storage.local_path("a/b.mp4")
    assert path is not None
    assert b"clip" == path.read_bytes()
    assert None is Storage.open("memory://").local_path("a/b.mp4")
    for key in ("../a", "a//b", "/etc/passwd", "a\\b", "a\0b", "b.mp4#1"):
        with pytest.raises(ValueError, match="not a valid key"):
            storage.local_path(key)
    (tmp_path / "store" / ".falhook").unlink()
    with pytest.raises(Transient, match="storage_unwritable"):
        storage.local_path("a/b.mp4")
