"""The process of the simulated fal: its start, output and end."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.factories.simulated_fal import TIMEOUT_SECONDS, fal_running


def test_sigterm_ends_it_during_a_delivery(tmp_path: Path) -> None:
    """SIGTERM ends it with code 0 even if a receiver never answers."""
    with fal_running(tmp_path / "fal") as fal:
        box = fal.receiver.mailbox(answers=[0])
        fal.submit(box=box)
        box.wait()
        fal.process.send_signal(signal.SIGTERM)
        assert 0 == fal.process.wait(5)
        assert fal.process.stdout is not None
        assert "" == fal.process.stdout.read()


def test_sigint_ends_it(tmp_path: Path) -> None:
    """SIGINT ends it with code 0 and without a traceback."""
    with fal_running(tmp_path / "fal") as fal:
        fal.process.send_signal(signal.SIGINT)
        assert 0 == fal.process.wait(5)
        assert "" == fal.log.read_text()


def test_the_log_is_structured_and_without_secrets(tmp_path: Path) -> None:
    """Each log line is a JSON object without prompts, tokens, keys or signatures."""
    with fal_running(tmp_path / "fal") as fal:
        box = fal.receiver.mailbox()
        fal.wait("callback_accepted", fal.submit("error-policy", box=box))
        (callback,) = box.wait()
        key = fal.environment["FAL_KEY"]
        text = fal.log.read_text()
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert ["job accepted", "job completed", "callback tried"] == events
    secrets = ("heron", "secret-token", key, callback.headers["x-fal-webhook-signature"])
    assert [] == [secret for secret in secrets if secret in text]


def test_the_environment_is_complete(tmp_path: Path) -> None:
    """The announced environment leads clients to it, and also trusts certifi's roots."""
    with fal_running(tmp_path / "fal", "--key", "id:secret", "--user-id", "user-7") as fal:
        host = fal.http.base_url.netloc.decode()
        bundle = fal.environment["SSL_CERT_FILE"]
        expected = {
            "FAL_KEY": "id:secret",
            "FAL_QUEUE_RUN_HOST": host,
            "FAL_RUN_HOST": host,
            "FAL_REST_HOST": host,
            "SSL_CERT_FILE": bundle,
            "FALHOOK_FAL_API_HOST": host,
            "FALHOOK_JWKS_URL": f"https://{host}/.well-known/jwks.json",
            "FALHOOK_FAL_USER_IDS": "user-7",
            "FALHOOK_DOWNLOAD_HOSTS": host,
        }
        assert expected == fal.environment
        assert Path(bundle).read_text().count("BEGIN CERTIFICATE") > 100


def test_a_taken_port_is_reported(tmp_path: Path) -> None:
    """A taken port ends the start with code 2 and a message that suggests another --port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "infra.local.fal", "--port", port]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    assert (2, "") == (done.returncode, done.stdout)
    assert "another --port" in done.stderr
