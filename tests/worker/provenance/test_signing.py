"""Which files are signed, with which ingredients, and that they validate."""

import errno
import importlib.util
import io
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.factories.clips import clip, ffmpeg, packets, script, tags
from tests.factories.mp4_boxes import box, numbers
from worker.cli.provenance import provenance
from worker.errors import Permanent, Transient
from worker.formats.images import read_tags as picture_tags
from worker.formats.mp4 import probe, read_tags
from worker.formats.mp4.probe import C2PA
from worker.formats.mp4.rewrite import XMP
from worker.formats.tags import AI_ORIGIN
from worker.formats.xmp import packet
from worker.provenance import ProvenanceUnusable, Signer, signing
from worker.provenance.claim_verdict import UNTRUSTED, ClaimVerdict
from worker.provenance.development_certificate import CHAIN, KEY, ROOT, make_chain
from worker.provenance.reader import CredentialsReport, ManifestClaim, show
from worker.steps.transcode_tag import output_record
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import ORIGINAL, Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.signing import UNTOUCHED
from worker.transcode.transcoder import transcode
from worker.types import Json

LATER, EARLIER = datetime(2999, 1, 1, tzinfo=UTC), datetime(1999, 1, 1, tzinfo=UTC)
EVERYTHING = Profile.parse("web+360p+preview+storyboard+hls")
with_sdk = pytest.mark.skipif(
    importlib.util.find_spec("c2pa") is None, reason="c2pa-python is not installed"
)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A development chain: certificates, key and root."""
    return make_chain(tmp_path_factory.mktemp("chain") / "made")


@pytest.fixture(scope="module")
def signer(chain: dict[str, Path]) -> Signer:
    """The chain's key, from a file, validated against its root."""
    return loaded(chain)


def loaded(chain: dict[str, Path], *, now: datetime | None = None, **changes: str) -> Signer:
    given = {"command": "", "tsa": "", "anchors": str(chain[ROOT])} | changes
    key = None if given["command"] else chain[KEY]
    return Signer.load(chain[CHAIN], key=key, now=now, **given)


def delivered(
    source: Path, into: Path, signer: Signer | None, profile: Profile = ORIGINAL
) -> TranscodeResult:
    program = Ffmpeg.find(None)
    return transcode(source, into, tags(), ffmpeg=program, profile=profile, signer=signer)


@pytest.fixture(scope="module")
def signed(signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> TranscodeResult:
    """A signed delivery with outputs of every kind."""
    return delivered(clip("tall"), tmp_path_factory.mktemp("signed"), signer, EVERYTHING)


def claims(path: Path, anchors: Path) -> tuple[str, list[ManifestClaim]]:
    shown = show(path, anchors.read_text())
    assert shown is not None
    return shown.state, list(shown.claims)


@with_sdk
def test_the_video_was_created(signed: TranscodeResult, chain: dict[str, Path]) -> None:
    """The manifest says that a model created the video, which one, when, and who signed."""
    state, (claim,) = claims(signed.video, chain[ROOT])
    assert "Trusted" == state == signed.signed
    assert ("c2pa.created", AI_ORIGIN) == (claim.actions[0], claim.source_type)
    assert "2026-03-04T05:06:07Z" == claim.when
    assert "falhook development signer, falhook development" == claim.signer
    assert claim.program.startswith("falhook ")
    assert "A fox in the snow" == claim.title


@with_sdk
def test_every_other_file_has_the_video_as_parent(
    signed: TranscodeResult, chain: dict[str, Path]
) -> None:
    """Each rendition and picture opened the video, and includes its claim."""
    others = [path for path in signed.files[1:] if path.suffix in {".mp4", ".jpg", ".webp"}]
    assert 5 == len(others)
    for path in others:
        state, (own, parent) = claims(path, chain[ROOT])
        assert "Trusted" == state
        assert "c2pa.opened" == own.actions[0]
        assert AI_ORIGIN == parent.source_type
        assert own.when is not None
        assert parent.when is not None
        assert parent.when < own.when


@with_sdk
def test_signing_leaves_the_rest_unchanged(signed: TranscodeResult) -> None:
    """A signed file can be streamed, and has its tags and its packets."""
    assert packets(clip("tall"), "v:0") == packets(signed.video, "v:0")
    assert (True, True) == (signed.probe.faststart, signed.probe.has_c2pa)
    assert "job-1" == read_tags(signed.video)["falhook.job_id"]
    assert signed.probe == probe(signed.video)
    assert [] == [path for path in signed.video.parent.iterdir() if path not in signed.files]


@with_sdk
@pytest.mark.parametrize("name", ["video.mp4", "poster.jpg"])
def test_a_changed_file_is_invalid(
    name: str, signed: TranscodeResult, chain: dict[str, Path], tmp_path: Path
) -> None:
    """One changed bit of the picture makes the file invalid."""
    data = bytearray(signed.video.with_name(name).read_bytes())
    data[-20] ^= 1
    (tmp_path / name).write_bytes(data)
    shown = show(tmp_path / name, chain[ROOT].read_text())
    assert shown is not None
    assert "Invalid" == shown.state
    assert any("mismatch" in failure for failure in shown.failures)


@pytest.fixture(scope="module")
def source_with_credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that the model's vendor signed with its own certificate."""
    directory = tmp_path_factory.mktemp("vendor")
    vendor = loaded(make_chain(directory / "chain"))
    result = delivered(clip("high"), directory / "into", vendor)
    return result.video.rename(directory / "theirs.mp4")


@with_sdk
def test_source_credentials_are_the_parent(
    source_with_credentials: Path, signer: Signer, chain: dict[str, Path], tmp_path: Path
) -> None:
    """The video was opened, not created, if its source has credentials; both claims are there."""
    result = delivered(source_with_credentials, tmp_path, signer)
    state, (own, parent) = claims(result.video, chain[ROOT])
    assert "Trusted" == state
    assert "c2pa.opened" == own.actions[0]
    assert "c2pa.created" not in own.actions
    assert "c2pa.created" == parent.actions[0]
    assert {
        "state": "signed",
        "validation": "Trusted",
        "vendor": "parent",
        "vendor_validation": "Valid",
    } == output_record(result, {})["provenance"]


def spoiled(source_with_credentials: Path, path: Path, part: bytes, at: int, size: int) -> Path:
    """A copy of the signed source with zeros near the first occurrence of `part`."""
    data = bytearray(source_with_credentials.read_bytes())
    begin = data.index(part) + at
    data[begin : begin + size] = bytes(size)
    path.write_bytes(data)
    return path


@with_sdk
def test_source_credentials_that_do_not_validate(
    source_with_credentials: Path, signer: Signer, chain: dict[str, Path], tmp_path: Path
) -> None:
    """They are still the parent, and are reported as invalid."""
    source = spoiled(source_with_credentials, tmp_path / "changed.mp4", b"A fox in", 0, 1)
    result = delivered(source, tmp_path / "into", signer)
    state, (own, parent) = claims(result.video, chain[ROOT])
    assert ("Trusted", "c2pa.opened") == (state, own.actions[0])
    assert "c2pa.created" == parent.actions[0]
    assert result.source_credentials is not None
    assert {
        "vendor": "parent",
        "vendor_validation": "Invalid",
    } == result.source_credentials.record()
    assert (False, True) == tuple(
        "claimSignature.mismatch" in claim.faults for claim in (own, parent)
    )
    printed = CliRunner().invoke(provenance, ["show", str(result.video)]).output
    assert "claimSignature.mismatch" in " ".join(printed.split())


@with_sdk
@pytest.mark.parametrize("where", [(60, 340), (-4, 3000)])
def test_source_credentials_that_cannot_be_read(
    where: tuple[int, int],
    source_with_credentials: Path,
    signer: Signer,
    chain: dict[str, Path],
    tmp_path: Path,
) -> None:
    """Our credentials say that the video was created; the untouched source is delivered too."""
    source = spoiled(source_with_credentials, tmp_path / "broken.mp4", b"jumb", *where)
    result = delivered(source, tmp_path / "into", signer)
    state, (own,) = claims(result.video, chain[ROOT])
    assert ("Trusted", "c2pa.created") == (state, own.actions[0])
    assert source.read_bytes() == result.files[-1].read_bytes()
    assert UNTOUCHED == result.files[-1].name
    assert {"state": "signed", "validation": "Trusted", "vendor": "unreadable"} == output_record(
        result, {}
    )["provenance"]


# Reads the credentials of a file; tells what became of them, and by how much the process grew.
READER = """
import json, sys
from pathlib import Path
from worker.formats.mp4 import credentials_of
from worker.provenance import SourceCredentials

def grown():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

begin, source = grown(), Path(sys.argv[1])
print(json.dumps([SourceCredentials.of(source, credentials_of(source), "").kept, grown() - begin]))
"""


def grown_credentials(path: Path, content: bytes, size: int) -> Path:
    """A clip with a box of credentials that begins with `content`, the rest a hole in the file."""
    data = clip("high").read_bytes()
    label = bytes.fromhex("63327061001100108000 00AA00389B71".replace(" ", "")) + b"\3c2pa\0"
    store = numbers(size) + b"jumb" + box(b"jumd", label) + content
    head = C2PA + bytes(4) + b"manifest\0" + bytes(8)
    path.write_bytes(data + numbers(8 + len(head) + size) + b"uuid" + head + store)
    with path.open("r+b") as file:
        file.truncate(len(data) + 8 + len(head) + size)
    return path


@with_sdk
@pytest.mark.parametrize(
    ("content", "size"),
    [(numbers(0) + b"free", 400 << 20), (box(b"brob", b"json" + bytes(99)), 1000)],
)
def test_credentials_that_would_fill_the_memory(content: bytes, size: int, tmp_path: Path) -> None:
    """The SDK never reads huge credentials, or ones that it would decompress without a limit."""
    source = grown_credentials(tmp_path / "huge.mp4", content, size)
    command = [sys.executable, "-c", READER, str(source)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    kept, grown = json.loads(done.stdout)
    assert "unreadable" == kept
    assert grown < 100 << 20


@with_sdk
def test_credentials_elsewhere(signer: Signer, chain: dict[str, Path], tmp_path: Path) -> None:
    """Remote credentials are not fetched: they are unreadable, and the link is kept."""
    source = tmp_path / "linked.mp4"
    link = packet([("dcterms:provenance", "https://vendor.example/1.c2pa")])
    source.write_bytes(clip("high").read_bytes() + box(b"uuid", XMP, link))
    result = delivered(source, tmp_path / "into", signer)
    assert {"state": "signed", "validation": "Trusted", "vendor": "unreadable"} == output_record(
        result, {}
    )["provenance"]
    assert "https://vendor.example/1.c2pa" == read_tags(result.video)["dcterms:provenance"]
    assert {} == picture_tags(result.poster)
    assert (source.read_bytes(), UNTOUCHED) == (
        result.files[-1].read_bytes(),
        result.files[-1].name,
    )
    state, (own,) = claims(result.video, chain[ROOT])
    assert ("Trusted", "c2pa.created") == (state, own.actions[0])


@with_sdk
def test_source_credentials_are_kept_without_a_signer(
    source_with_credentials: Path, tmp_path: Path
) -> None:
    """If we cannot sign, the source itself is delivered next to the other files."""
    result = delivered(source_with_credentials, tmp_path, None)
    assert source_with_credentials.read_bytes() == (tmp_path / UNTOUCHED).read_bytes()
    assert UNTOUCHED == result.files[-1].name
    assert not result.probe.has_c2pa
    assert {"state": "unsigned", "vendor": UNTOUCHED} == output_record(result, {})["provenance"]


def test_without_a_certificate_all_else_works(tmp_path: Path) -> None:
    """No file is signed, no file is missing, and the manifest says so."""
    result = delivered(clip("high"), tmp_path, None)
    assert result.signed is None
    assert ["video.mp4", "poster.jpg"] == [path.name for path in result.files]
    assert {"state": "unsigned"} == output_record(result, {})["provenance"]


@with_sdk
def test_a_command_that_fails(chain: dict[str, Path], tmp_path: Path) -> None:
    """The job's failure has the command's reason, and no half-signed file is left."""
    command = str(script(tmp_path / "sign", "exit 3"))
    with pytest.raises(Transient, match="failed with exit code 3"):
        delivered(clip("high"), tmp_path / "into", loaded(chain, command=command))
    assert [] == list((tmp_path / "into").glob("signed-*"))


class FullOnce(io.FileIO):
    """A file on a full disk, which has room again directly afterwards."""

    is_full = True

    def write(self, data: object) -> int:
        if self.is_full:
            self.is_full = False
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)  # type: ignore[arg-type]


@with_sdk
def test_a_full_disk_is_not_a_refusal(
    signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is reported as such, although the SDK's error names another cause."""
    path = Path(shutil.copy(clip("high"), tmp_path / "video.mp4"))
    monkeypatch.setattr("worker.provenance.signing.io.FileIO", FullOnce)
    with pytest.raises(OSError, match="No space left"):
        signing.sign(path, {"title": "A fox"}, signer)
    assert [path] == list(tmp_path.iterdir())


@with_sdk
def test_a_certificate_that_expires_while_the_worker_runs(tmp_path: Path) -> None:
    """A signature that would not validate is not published."""
    begins = datetime(2024, 1, 1, tzinfo=UTC)
    old = make_chain(tmp_path / "old", now=begins)
    made = delivered(clip("high"), tmp_path / "into", loaded(old, now=begins))
    assert (None, "signing_refused") == (made.signed, made.refusal and made.refusal.reason)
    assert "FALHOOK_C2PA_CERT" in str(made.refusal)
    assert show(made.video) is None
    assert [] == list((tmp_path / "into").glob("signed-*"))


@with_sdk
def test_another_root_is_refused(chain: dict[str, Path], tmp_path: Path) -> None:
    """If roots are configured, a signature that does not lead to them is not published."""
    other = make_chain(tmp_path / "other")
    made = delivered(clip("high"), tmp_path / "into", loaded(chain, anchors=str(other[ROOT])))
    assert (None, None) == (made.signed, show(made.video))
    assert "not lead to any of FALHOOK_C2PA_ANCHORS" in str(made.refusal)


@with_sdk
def test_without_roots_valid_is_enough(chain: dict[str, Path], tmp_path: Path) -> None:
    """Without configured roots, a signature that is Valid is enough."""
    result = delivered(clip("high"), tmp_path, loaded(chain, anchors=""))
    assert "Valid" == result.signed


def _wrong_key(chain: dict[str, Path], other: dict[str, Path]) -> Signer:
    return loaded(chain | {KEY: other[KEY]})


@with_sdk
@pytest.mark.parametrize(
    ("load", "words"),
    [
        (_wrong_key, "not the key of FALHOOK_C2PA_CERT"),
        (lambda chain, _: loaded(chain | {CHAIN: chain[KEY]}), "has no PEM certificate"),
        (
            lambda chain, _: loaded(chain | {CHAIN: Path("missing")}),
            "CERT is missing, which is not a readable PEM",
        ),
        (
            lambda chain, _: loaded(chain | {KEY: Path("missing")}),
            "KEY is missing, which is not a readable",
        ),
        (
            lambda chain, _: loaded(chain, anchors="missing"),
            "ANCHORS is missing, which is not a readable PEM",
        ),
        (lambda chain, _: loaded(chain, anchors=str(chain[KEY])), "which has no PEM certificates"),
        (lambda chain, _: loaded(chain, tsa="ftp://a.test"), "FALHOOK_C2PA_TSA must be an http"),
        (lambda chain, _: loaded(chain, tsa="http://["), "FALHOOK_C2PA_TSA must be an http"),
        (lambda chain, _: loaded(chain, command="kms 'x"), "COMMAND cannot be split"),
        (lambda chain, _: loaded(chain, command=" "), "COMMAND is empty: it must begin with"),
        (lambda chain, _: loaded(chain, command="/no/such"), "COMMAND is '/no/such'"),
        (lambda chain, _: loaded(chain, now=LATER), "that expired on .*: renew it"),
        (lambda chain, _: loaded(chain, now=EARLIER), "that begins on .*clock"),
        (
            lambda chain, _: Signer.load(chain[CHAIN], key=None, command="", tsa="", anchors=""),
            "either FALHOOK_C2PA_KEY or FALHOOK_C2PA_COMMAND",
        ),
    ],
)
def test_unusable_signer(
    load: Callable[[dict[str, Path], dict[str, Path]], Signer],
    words: str,
    chain: dict[str, Path],
    tmp_path: Path,
) -> None:
    """Settings that cannot sign are refused by name when the process starts."""
    with pytest.raises(ProvenanceUnusable, match=words):
        load(chain, make_chain(tmp_path / "other"))


def test_the_package_is_optional(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without c2pa-python a configured certificate is refused with the correction."""
    monkeypatch.setitem(sys.modules, "c2pa", None)
    with pytest.raises(ProvenanceUnusable, match=r"pip install 'falhook\[provenance\]'"):
        Signer.load(tmp_path, key=None, command="", tsa="", anchors="")


@with_sdk
def test_cert_prints_settings_that_work(tmp_path: Path) -> None:
    """`provenance cert` writes a chain once; only its owner can read the key."""
    result = CliRunner().invoke(provenance, ["cert", str(tmp_path / "pki")])
    settings = dict(line.split("=", 1) for line in result.stdout.splitlines())
    assert {"FALHOOK_C2PA_CERT", "FALHOOK_C2PA_KEY", "FALHOOK_C2PA_ANCHORS"} == set(settings)
    assert 0o600 == stat.S_IMODE(Path(settings["FALHOOK_C2PA_KEY"]).stat().st_mode)
    other = CliRunner().invoke(provenance, ["cert", str(tmp_path / "other"), "--json"])
    assert settings == {
        name: path.replace("/other/", "/pki/") for name, path in json.loads(other.stdout).items()
    }
    again = CliRunner().invoke(provenance, ["cert", str(tmp_path / "pki")])
    assert (2, True) == (again.exit_code, "exists already" in again.output)


@with_sdk
@pytest.mark.parametrize("name", [CHAIN, KEY, ROOT])
def test_cert_writes_all_or_nothing(name: str, tmp_path: Path) -> None:
    """If one of the files exists, it is kept, and no other is written."""
    (tmp_path / name).write_text("mine")
    result = CliRunner().invoke(provenance, ["cert", str(tmp_path)])
    assert (2, True) == (result.exit_code, f"{name} exists already" in result.output)
    assert [(name, "mine")] == [(path.name, path.read_text()) for path in tmp_path.iterdir()]


@with_sdk
@pytest.mark.parametrize("data", [b"\xff\xfe\0", b"no certificate"])
def test_show_with_invalid_anchors(data: bytes, signed: TranscodeResult, tmp_path: Path) -> None:
    """A file without PEM certificates is refused in a sentence that names the option."""
    (tmp_path / "anchors").write_bytes(data)
    arguments = ["show", "--anchors", str(tmp_path / "anchors"), str(signed.video)]
    done = CliRunner().invoke(provenance, arguments)
    assert (2, True) == (done.exit_code, "--anchors is" in done.output)
    assert "PEM" in done.output


@with_sdk
def test_show(signed: TranscodeResult, chain: dict[str, Path], tmp_path: Path) -> None:
    """`provenance show` prints who, what, when and the state; its exit code is 1 if invalid."""
    anchored = ["show", "--anchors", str(chain[ROOT])]
    good = CliRunner().invoke(provenance, [*anchored, str(signed.poster)])
    for words in ("Trusted", "falhook development signer", "2026-03-04", "c2pa.opened", AI_ORIGIN):
        assert words in good.output
    assert 0 == good.exit_code
    listed = CliRunner().invoke(provenance, [*anchored, "--json", str(signed.poster)])
    assert ("Trusted", 2) == (
        json.loads(listed.output)["state"],
        len(json.loads(listed.output)["claims"]),
    )
    bare = CliRunner().invoke(provenance, [*anchored, str(clip("high"))])
    assert (1, True) == (bare.exit_code, "no content credentials" in bare.output)
    (tmp_path / "text.txt").write_text("no media")
    assert 2 == CliRunner().invoke(provenance, ["show", str(tmp_path / "text.txt")]).exit_code


@with_sdk
@pytest.mark.skipif(sys.platform != "linux", reason="strace")
def test_signing_opens_no_socket(chain: dict[str, Path], tmp_path: Path) -> None:
    """Without a time stamp authority no socket is opened to sign or to validate."""
    paths = {name: str(path) for name, path in chain.items()}
    body = f"""
from pathlib import Path
from tests.worker.provenance.test_signing import clip, delivered, loaded
chain = {{name: Path(path) for name, path in {paths!r}.items()}}
print(delivered(clip("high"), Path({str(tmp_path / "into")!r}), loaded(chain)).signed)
"""
    trace = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=socket,connect"]
    try:
        done = subprocess.run(
            [*trace, sys.executable, "-c", body], check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("strace is not installed")
    assert "Trusted" == done.stdout.strip()
    assert "AF_INET" not in (tmp_path / "trace").read_text()


@with_sdk
def test_a_remux_loses_credentials(signed: TranscodeResult, tmp_path: Path) -> None:
    """Signing comes last because any pass of ffmpeg drops the credentials silently."""
    ffmpeg("-i", str(signed.video), "-c", "copy", str(tmp_path / "remuxed.mp4"))
    assert show(tmp_path / "remuxed.mp4") is None


def refusing(monkeypatch: pytest.MonkeyPatch, refuses: Callable[[Path, bool], bool]) -> None:
    """Let the SDK refuse some files for good; `refuses` gets a file, and if it has a parent."""
    sign = signing.sign

    def refuse(path: Path, *args: Any, parent: Path | None = None) -> CredentialsReport:
        if refuses(path, parent is not None):
            raise Permanent("signing_refused", f"{path.name} could not be signed: it is odd")
        return sign(path, *args, parent=parent)

    monkeypatch.setattr("worker.provenance.manifests.sign", refuse)


@with_sdk
def test_credentials_that_cannot_be_the_parent(
    source_with_credentials: Path,
    signer: Signer,
    chain: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The video is signed as created, and the untouched source is delivered next to it."""
    refusing(monkeypatch, lambda path, has_parent: has_parent and path.name == "video.mp4")
    result = delivered(source_with_credentials, tmp_path, signer)
    state, (own,) = claims(result.video, chain[ROOT])
    assert ("Trusted", "c2pa.created") == (state, own.actions[0])
    assert source_with_credentials.read_bytes() == (tmp_path / UNTOUCHED).read_bytes()
    assert {"state": "signed", "validation": "Trusted", "vendor": "unreadable"} == output_record(
        result, {}
    )["provenance"]


@with_sdk
def test_a_file_next_to_the_video_that_cannot_be_signed(
    signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is delivered without a signature, with the reason; the video is signed."""
    refusing(monkeypatch, lambda path, _: path.name == "poster.jpg")
    result = delivered(clip("high"), tmp_path, signer)
    assert "Trusted" == result.signed
    assert {"poster.jpg": "poster.jpg could not be signed: it is odd"} == dict(result.unsigned)
    assert show(result.poster) is None


OURS, THEIRS = "urn:c2pa:1", "urn:c2pa:2"


def stated(code: str, label: str = OURS) -> dict[str, Json]:
    return {"code": code, "url": f"self#jumbf=/c2pa/{label}/c2pa.signature"}


WHOLE = (stated("claimSignature.validated"), stated("assertion.bmffHash.match"))
TRUSTED = stated("signingCredential.trusted")


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        ((*WHOLE, TRUSTED), (), ("Trusted", ())),
        ((*WHOLE, TRUSTED), (stated("cawg.x509.credential.untrusted", THEIRS),), ("Trusted", ())),
        ((*WHOLE, TRUSTED), (stated("cawg.ica.untrusted_issuer"),), ("Trusted", ())),
        ((*WHOLE, TRUSTED), (stated("ingredient.manifest.mismatch"),), ("Trusted", ())),
        ((*WHOLE, TRUSTED), (stated("claimSignature.mismatch", THEIRS),), ("Trusted", ())),
        (WHOLE, (stated(UNTRUSTED),), ("Valid", (UNTRUSTED,))),
        ((*WHOLE, stated("signingCredential.trusted", THEIRS)), (), ("Valid", ())),
        (
            (*WHOLE, TRUSTED),
            (stated("assertion.bmffHash.mismatch"),),
            ("Invalid", ("assertion.bmffHash.mismatch",)),
        ),
        ((WHOLE[0], TRUSTED), (), ("Invalid", ())),
        ((WHOLE[1], TRUSTED), (), ("Invalid", ())),
        ((), (), ("Invalid", ())),
    ],
)
def test_our_own_claim_is_judged_alone(
    good: tuple[dict[str, Json], ...],
    bad: tuple[dict[str, Json], ...],
    expected: tuple[str, tuple[str, ...]],
) -> None:
    """Statuses of identities and of older claims, which are not ours, do not count."""
    listed: dict[str, Json] = {"success": [*good], "failure": [*bad]}
    results: Json = {"activeManifest": listed}
    verdict = ClaimVerdict.of({"active_manifest": OURS, "validation_results": results})
    assert expected == (verdict.state, verdict.failures)
