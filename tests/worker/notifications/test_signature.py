"""Signatures as Standard Webhooks describes them, and the keys that make them."""

import shutil
import subprocess
import time
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from nacl.signing import VerifyKey
from standardwebhooks import Webhook, WebhookVerificationError

from tests import ROOT
from tests.factories.node_reference import needs_node, verified_in_node
from worker.notifications.signature import message_id, signed_headers
from worker.notifications.signing_keys import KeySeal, SigningKeys, UnreadableKeys

BODY = '{"type":"job.published","data":{"title":"Füchse"}}'.encode()
VERIFY = ROOT / "tests" / "worker" / "notifications" / "verify.mjs"


def test_the_reference_library_verifies_it() -> None:
    """The reference library in Python accepts the headers, and computes the same v1."""
    keys, now = SigningKeys.make(), time.time()
    headers = dict(signed_headers("msg_1", BODY, [keys], now=now))
    library = Webhook(keys.secret)
    assert {"title": "Füchse"} == library.verify(BODY, headers)["data"]
    at = datetime.fromtimestamp(int(now), UTC)
    assert library.sign("msg_1", at, BODY.decode()) == headers["webhook-signature"].split()[0]


def test_ed25519_is_verified_with_the_public_key() -> None:
    """v1a is an Ed25519 signature of id, timestamp and body, which `whpk_` verifies."""
    keys = SigningKeys.make()
    headers = signed_headers("msg_1", BODY, [keys], now=1_700_000_000.9)
    versions = dict(each.split(",") for each in headers["webhook-signature"].split())
    assert ["v1", "v1a"] == list(versions)
    public = VerifyKey(b64decode(keys.public_key.removeprefix("whpk_")))
    assert public.verify(b"msg_1.1700000000." + BODY, b64decode(versions["v1a"]))


def test_old_and_new_keys_sign_while_they_overlap() -> None:
    """With two pairs, a receiver that knows either secret accepts the message; others do not."""
    new, old = SigningKeys.make(), SigningKeys.make()
    headers = dict(signed_headers("msg_1", BODY, [new, old], now=time.time()))
    for known in (new, old):
        assert Webhook(known.secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SigningKeys.make().secret).verify(BODY, headers)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_node_verifies_it() -> None:
    """Node's own crypto verifies both signatures by the specification, and no changed body."""
    keys = SigningKeys.make()
    headers = signed_headers("msg_1", BODY, [keys], now=time.time())
    for body, expected in ((BODY, "v1 v1a"), (BODY + b" ", "")):
        arguments = [keys.secret, keys.public_key, *headers.values()]
        done = subprocess.run(
            ["node", str(VERIFY), *arguments], input=body, capture_output=True, check=True
        )
        assert expected == done.stdout.decode().strip()


@needs_node
def test_the_reference_library_in_node_verifies_it() -> None:
    """It accepts the headers of both pairs of keys, and neither a changed body nor an old time."""
    new, old = SigningKeys.make(), SigningKeys.make()
    headers = signed_headers("msg_1", BODY, [new, old], now=time.time())
    for known in (new, old):
        assert {"title": "Füchse"} == verified_in_node(known.secret, headers, BODY)["data"]  # type: ignore[index]
    assert verified_in_node(new.secret, headers, BODY + b" ") is None
    stale = signed_headers("msg_1", BODY, [new], now=time.time() - 600)
    assert verified_in_node(new.secret, stale, BODY) is None


def test_the_id_follows_from_what_is_told() -> None:
    """Endpoint, job and number make the id: the same every time, another for each of them."""
    first = message_id("ep_a", "job1", 3)
    assert (first, 30, "msg_") == (message_id("ep_a", "job1", 3), len(first), first[:4])
    others = {message_id("ep_b", "job1", 3), message_id("ep_a", "job2", 3)}
    assert 4 == len({first, message_id("ep_a", "job1", 4), *others})


def test_keys_are_sealed() -> None:
    """Redis has no key in clear; the secret that sealed it opens it, others do not."""
    keys = SigningKeys.make()
    sealed = KeySeal(["first-secret-of-falhook"]).seal(keys)
    assert keys.secret.removeprefix("whsec_") not in sealed
    assert keys == KeySeal(["a-newer-secret", "first-secret-of-falhook"]).open(sealed)
    with pytest.raises(UnreadableKeys, match="falhook endpoints rotate"):
        KeySeal(["a-newer-secret"]).open(sealed)


def test_keys_are_not_shown() -> None:
    """The text of keys in a log or a traceback has no secret."""
    assert "SigningKeys(…)" == repr(SigningKeys.make())
