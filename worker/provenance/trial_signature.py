"""A trial of signing, with a picture of one pixel."""

import tempfile
import zlib
from pathlib import Path

from worker.provenance.manifests import manifest
from worker.provenance.reader import CredentialsReport
from worker.provenance.signer import Signer
from worker.provenance.signing import sign

# https://cv.iptc.org/newscodes/digitalsourcetype/ : created by an algorithm, not a trained model.
_ORIGIN = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
_CREATED = {"action": "c2pa.created", "digitalSourceType": _ORIGIN}
_HEADER = bytes((0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0))  # one by one, 8 bits, grey


def try_signing(signer: Signer) -> CredentialsReport:
    """Sign a temporary picture; return its credentials, read back.

    It uses the signing command and the time stamp authority as for any file. Raises what `sign`
    raises.
    """
    with tempfile.TemporaryDirectory(prefix="falhook-trial-") as scratch:
        path = Path(scratch, "trial.png")
        path.write_bytes(_picture())
        return sign(path, manifest(path, "trial", _CREATED), signer)


def _picture() -> bytes:
    # https://www.w3.org/TR/png-3/#5Chunk-layout
    chunks = (b"IHDR", _HEADER), (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)
