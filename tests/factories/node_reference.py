"""The reference library of Standard Webhooks in Node, as a receiver would use it."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping

import pytest

from tests import ROOT

_PROGRAM = ROOT / "tests" / "worker" / "notifications" / "verify_reference.cjs"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs Node")


def verified_in_node(secret: str, headers: Mapping[str, str], body: bytes) -> object:
    """Return the content that the library returns; None if it refuses the message."""
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(_PROGRAM), secret, json.dumps(dict(headers))],
        input=body,
        capture_output=True,
        check=False,
        env={**os.environ, "NODE_PATH": str(ROOT / "tests" / "vendor" / "npm")},
    )
    if done.returncode == 0:
        return json.loads(done.stdout)
    assert b"WebhookVerificationError" in done.stderr, done.stderr.decode()
    return None
