"""`falhook check` signs a test picture, so that mistakes show before a job is paid for."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.factories.clips import script
from tests.factories.timestamp_authority import Authority, serving
from worker.cli.check.flags import check
from worker.cli.check.local import PROBES
from worker.provenance.development_certificate import CHAIN, KEY, ROOT, make_chain

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("c2pa") is None, reason="c2pa-python is not installed"
)
CERT, SECRET, COMMAND, ANCHORS, TSA = (
    f"FALHOOK_C2PA_{name}" for name in ("CERT", "KEY", "COMMAND", "ANCHORS", "TSA")
)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A development chain: certificates, key and root."""
    return make_chain(tmp_path_factory.mktemp("chain") / "made")


@pytest.fixture
def tried(
    ready_environment: dict[str, str], chain: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[bool, str]]:
    """Run the probe of signing with changed settings, and return whether it is ok and why."""
    monkeypatch.setattr("worker.cli.check.command.PROBES", {"provenance": PROBES["provenance"]})
    valid = {
        **ready_environment,
        CERT: str(chain[CHAIN]),
        SECRET: str(chain[KEY]),
        ANCHORS: str(chain[ROOT]),
    }

    def run(**changes: str | Path) -> tuple[bool, str]:
        environ = valid | {name: str(value) for name, value in changes.items()}
        done = CliRunner().invoke(check, ["--json"], env=environ)
        finding = json.loads(done.stdout)["provenance"]
        assert (0 if finding["ok"] else 1) == done.exit_code
        assert "Error: " not in finding["detail"]
        return finding["ok"], finding["detail"]

    return run


def test_valid_settings(tried: Callable[..., tuple[bool, str]]) -> None:
    """The sentence has the signer, the expiry and the validation state."""
    ok, detail = tried()
    assert ok
    assert "falhook development signer" in detail
    assert f"until {datetime.now(UTC).year + 1}" in detail
    assert "is Trusted" in detail


def test_no_certificate(tried: Callable[..., tuple[bool, str]]) -> None:
    """Without a certificate files are not signed, which is not a failure."""
    assert (True, "files are not signed") == tried(**{CERT: "", SECRET: ""})


def _with_command(body: str) -> Callable[[Path], dict[str, str | Path]]:
    return lambda scratch: {SECRET: "", COMMAND: script(scratch / "sign", body)}


def _leaf_alone(scratch: Path) -> dict[str, str | Path]:
    made = make_chain(scratch / "other")
    end = "-----END CERTIFICATE-----\n"
    made[CHAIN].write_text(made[CHAIN].read_text().partition(end)[0] + end)
    return {CERT: made[CHAIN], SECRET: made[KEY], ANCHORS: made[ROOT]}


def _expired(scratch: Path) -> dict[str, str | Path]:
    made = make_chain(scratch / "old", now=datetime(2024, 1, 1, tzinfo=UTC))
    return {CERT: made[CHAIN], SECRET: made[KEY], ANCHORS: made[ROOT]}


def _for_web_sites(scratch: Path) -> dict[str, str | Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.provenance.development_certificate._PURPOSES", ("1.3.6.1.5.5.7.3.1",))
        made = make_chain(scratch / "web")
    return {CERT: made[CHAIN], SECRET: made[KEY], ANCHORS: made[ROOT]}


BAD: dict[str, tuple[Callable[[Path], dict[str, str | Path]], str]] = {
    "expired": (_expired, "FALHOOK_C2PA_CERT has a certificate that expired on 2024-12-30"),
    "for web sites": (_for_web_sites, "the certificate is invalid; check FALHOOK_C2PA_CERT"),
    "no intermediate": (_leaf_alone, "every certificate between the two to FALHOOK_C2PA_CERT"),
    "no PEM": (lambda _: {ANCHORS: __file__}, "which has no PEM certificates"),
    "another root": (
        lambda scratch: {ANCHORS: make_chain(scratch / "other")[ROOT]},
        "not lead to any of FALHOOK_C2PA_ANCHORS; add its root there",
    ),
    "command fails": (_with_command("exit 1"), "FALHOOK_C2PA_COMMAND failed with exit code 1"),
    "no signature": (_with_command("echo hello"), "FALHOOK_C2PA_COMMAND did not write a signature"),
    "no command": (
        lambda _: {SECRET: "", COMMAND: "/no/such"},
        "FALHOOK_C2PA_COMMAND is '/no/such'",
    ),
    "unbalanced": (
        lambda _: {SECRET: "", COMMAND: "kms 'x"},
        "FALHOOK_C2PA_COMMAND cannot be split into words: No closing quotation",
    ),
    "another key": (
        lambda scratch: {SECRET: make_chain(scratch / "other")[KEY]},
        "FALHOOK_C2PA_KEY is not the key of FALHOOK_C2PA_CERT",
    ),
    "no authority": (
        lambda _: {TSA: "http://me:hush@127.0.0.1:1/"},
        "127.0.0.1 (FALHOOK_C2PA_TSA) did not return a time stamp",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_fails_is_named(
    name: str, tried: Callable[..., tuple[bool, str]], tmp_path: Path
) -> None:
    """The sentence names the setting to correct, and has no secret."""
    changes, words = BAD[name]
    ok, detail = tried(**changes(tmp_path))
    assert not ok
    assert words in detail
    assert "hush" not in detail


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_the_time_stamp_authority_is_called(
    tried: Callable[..., tuple[bool, str]], chain: dict[str, Path], tmp_path: Path
) -> None:
    """The authority is called once; the sentence says if the anchors do not trust it."""
    (tmp_path / "tsa").mkdir()
    authority, both = Authority(tmp_path / "tsa"), tmp_path / "both.pem"
    both.write_text(chain[ROOT].read_text() + authority.root)
    with serving(authority) as url:
        untrusted, trusted = tried(**{TSA: url}), tried(**{TSA: url, ANCHORS: both})
    assert 2 == authority.requests
    assert (True, True) == (untrusted[0], trusted[0])
    assert "time stamps by 127.0.0.1, which FALHOOK_C2PA_ANCHORS does not trust" in untrusted[1]
    assert "time stamps by 127.0.0.1;" in trusted[1]
