"""A signing command, which may also misbehave."""

import importlib.util
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.factories.clips import script
from worker.errors import Permanent, Transient
from worker.provenance.certificate import Certificate
from worker.provenance.development_certificate import CHAIN, KEY, make_chain
from worker.provenance.sdk import cryptography
from worker.provenance.signing_command import SIGNATURE_BYTES, SigningCommand

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("c2pa") is None, reason="c2pa-python is not installed"
)
DATA = bytes(200_000)  # more than a pipe holds
KEY_SERVICE = """
import sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = serialization.load_pem_private_key(open(sys.argv[1], "rb").read(), None)
sys.stdout.buffer.write(key.sign(sys.stdin.buffer.read(), ec.ECDSA(hashes.SHA256())))
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A development chain: certificates, key and root."""
    return make_chain(tmp_path_factory.mktemp("chain") / "made")


@pytest.fixture(scope="module")
def leaf(chain: dict[str, Path]) -> Certificate:
    """The chain's leaf certificate."""
    return Certificate.parse(chain[CHAIN].read_text())


def service(directory: Path, key: Path) -> str:
    """A command that signs with this key."""
    (directory / "service.py").write_text(KEY_SERVICE)
    return shlex.join([sys.executable, str(directory / "service.py"), str(key)])


def test_a_command_signs(chain: dict[str, Path], leaf: Certificate, tmp_path: Path) -> None:
    """A command gets the bytes and returns the signature, so the key may be elsewhere."""
    signature = SigningCommand.parse(service(tmp_path, chain[KEY]), leaf)(DATA)
    assert leaf.has_signed(DATA, signature)


def test_a_signature_by_another_key(leaf: Certificate, tmp_path: Path) -> None:
    """A signature that does not match the certificate is refused."""
    other = make_chain(tmp_path / "other")
    command = SigningCommand.parse(service(tmp_path, other[KEY]), leaf)
    with pytest.raises(
        Transient, match="did not write a signature by the key of FALHOOK_C2PA_CERT"
    ):
        command(DATA)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("exit 3", "failed with exit code 3"),
        ("kill -9 $$", "failed with exit code -9"),
        ("cat > /dev/null", "did not write a signature"),
        ("cat > /dev/null; echo rubbish", "did not write a signature"),
        (f"head -c {SIGNATURE_BYTES + 1} /dev/zero", "more than 4096 bytes"),
        ("exec sleep 600", "took more than 0.2 s"),
        ("exec 1>&-; exec sleep 600", "took more than 0.2 s"),
    ],
)
def test_a_command_that_fails(body: str, words: str, leaf: Certificate, tmp_path: Path) -> None:
    """The failure is transient: an unavailable key service will be back."""
    command = SigningCommand.parse(str(script(tmp_path / "sign", body)), leaf)
    with pytest.raises(Transient, match=f"signing_failed.*{words}"):
        replace(command, seconds=0.2 if "sleep" in body else 20)(DATA)


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_program_that_no_longer_runs(mode: int, leaf: Certificate, tmp_path: Path) -> None:
    """A program that was executable when the worker started, and is not any more."""
    path = script(tmp_path / "sign", "true")
    command = SigningCommand.parse(str(path), leaf)
    path.write_text("#!/no/such\n")
    path.chmod(mode)
    with pytest.raises(Permanent, match="could not be started"):
        command(DATA)


def test_endless_output_is_not_read(leaf: Certificate, tmp_path: Path) -> None:
    """The command and its children are killed once it has written more than a signature."""
    os.mkfifo(fifo := tmp_path / "fifo")
    body = f"exec 3> {fifo}; echo started >&3; sleep 600 & exec yes"
    command = SigningCommand.parse(str(script(tmp_path / "sign", body)), leaf)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(Transient, match="more than 4096 bytes"):
            command(DATA)
        os.set_blocking(reader, True)
        assert b"started\n" == os.read(reader, 100)
        assert b"" == os.read(reader, 100)  # once nobody is left who could write
    finally:
        os.close(reader)


def _elliptic(curve: str) -> Any:
    ec = cryptography("hazmat.primitives.asymmetric.ec")
    return ec.generate_private_key(getattr(ec, curve)())


def _rsa() -> Any:
    return cryptography("hazmat.primitives.asymmetric.rsa").generate_private_key(65537, 2048)


def _edwards() -> Any:
    kind = cryptography("hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey
    return kind.generate()


KEYS: dict[str, Callable[[], Any]] = {
    "ES256": lambda: _elliptic("SECP256R1"),
    "ES384": lambda: _elliptic("SECP384R1"),
    "ES512": lambda: _elliptic("SECP521R1"),
    "PS256": _rsa,
    "ED25519": _edwards,
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_signatures_of_every_kind_of_key(algorithm: str) -> None:
    """Signatures of every kind of key verify, raw elliptic ones too; others do not."""
    key = KEYS[algorithm]()
    time = datetime(2026, 1, 1, tzinfo=UTC)
    leaf = Certificate(
        algorithm=algorithm, subject="", public_key=key.public_key(), begins=time, ends=time
    )
    signature = leaf.signing(key)(DATA)
    assert leaf.has_signed(DATA, signature)
    assert not leaf.has_signed(DATA + b"\0", signature)
    assert not leaf.has_signed(DATA, signature[:-1])
    if algorithm.startswith("ES"):
        size = (key.key_size + 7) // 8
        numbers = cryptography("hazmat.primitives.asymmetric.utils").decode_dss_signature(signature)
        assert leaf.has_signed(DATA, b"".join(number.to_bytes(size) for number in numbers))
