"""Time stamps let signatures outlive their certificate."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.factories.clips import clip, tags
from tests.factories.timestamp_authority import Authority, serving
from worker.cli.provenance import provenance
from worker.errors import Transient
from worker.provenance import Signer
from worker.provenance.development_certificate import CHAIN, KEY, ROOT, make_chain
from worker.provenance.reader import show
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("c2pa") is None, reason="c2pa-python is not installed"
)


def stamped(chain: dict[str, Path], url: str, anchors: Path, into: Path) -> TranscodeResult:
    """A delivery that was signed with a time stamp from `url`."""
    signer = Signer.load(chain[CHAIN], key=chain[KEY], command="", tsa=url, anchors=str(anchors))
    program = Ffmpeg.find(None)
    return transcode(clip("high"), into, tags(), ffmpeg=program, signer=signer)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_every_signature_is_stamped(tmp_path: Path) -> None:
    """The authority is called once for each file; the reader trusts stamp and signature."""
    (tmp_path / "tsa").mkdir()
    authority, chain = Authority(tmp_path / "tsa"), make_chain(tmp_path / "pki")
    anchors = tmp_path / "anchors.pem"
    anchors.write_text(chain[ROOT].read_text() + authority.root)
    with serving(authority) as url:
        result = stamped(chain, url, anchors, tmp_path / "into")
    assert ("Trusted", len(result.files)) == (result.signed, authority.requests)
    report = show(result.video, anchors.read_text())
    assert report is not None
    assert ("Trusted", True) == (report.state, report.claims[0].stamped)
    printed = CliRunner().invoke(provenance, ["show", "--anchors", str(anchors), str(result.video)])
    assert "time stamp" in printed.output


@pytest.mark.parametrize("status", [200, 503])
def test_an_authority_without_a_stamp_is_transient(tmp_path: Path, status: int) -> None:
    """The clip is paid for and the authority will be back, so the job does not fail permanently."""
    chain = make_chain(tmp_path / "pki")
    with (
        serving(None, status=status) as url,
        pytest.raises(Transient, match=r"timestamp_unavailable.*FALHOOK_C2PA_TSA"),
    ):
        stamped(chain, url, chain[ROOT], tmp_path / "into")
    assert [] == list((tmp_path / "into").glob("signed-*"))


def test_an_unreachable_authority_is_transient(tmp_path: Path) -> None:
    """The failure is transient; a password in the URL is not shown."""
    chain = make_chain(tmp_path / "pki")
    with pytest.raises(Transient, match="timestamp_unavailable") as caught:
        stamped(chain, "http://me:hush@127.0.0.1:1/", chain[ROOT], tmp_path / "into")
    assert "hush" not in str(caught.value)


class Stale(Authority):
    """An authority that returns the same stamp to every request."""

    def stamp(self, query: bytes) -> bytes:
        """The response to the first request."""
        first = self.directory / "first"
        if not first.exists():
            first.write_bytes(super().stamp(query))
        return first.read_bytes()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_a_stamp_of_another_file_is_refused(tmp_path: Path) -> None:
    """No file is published with a time stamp that does not validate."""
    (tmp_path / "tsa").mkdir()
    authority, chain = Stale(tmp_path / "tsa"), make_chain(tmp_path / "pki")
    with (
        serving(authority) as url,
        pytest.raises(Transient, match=r"timestamp_unavailable.*FALHOOK_C2PA_TSA"),
    ):
        stamped(chain, url, chain[ROOT], tmp_path / "into")
    assert not list((tmp_path / "into").glob("signed-*"))
