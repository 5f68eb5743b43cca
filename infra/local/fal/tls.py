"""A temporary certificate authority, for real, verified TLS to this machine."""

import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi
import trustme

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The server's TLS context, and the CA files for clients."""

    server: ssl.SSLContext
    ca_file: Path
    bundle: Path

    def client(self) -> ssl.SSLContext:
        """Return a context that trusts certifi's roots and this authority."""
        return ssl.create_default_context(cafile=str(self.bundle))


def issue(directory: Path, name: str) -> Certificates:
    """Create an authority, and a certificate for the loopback names and `name`.

    Afterwards `directory` contains ``ca.pem`` and ``ca-bundle.pem``. The bundle includes certifi's
    roots, so a process that trusts only the bundle still reaches other hosts. The private keys
    stay in memory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="simulated fal")
    ca_file, bundle = directory / "ca.pem", directory / "ca-bundle.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    shutil.copyfile(certifi.where(), bundle)
    authority.cert_pem.write_to_path(str(bundle), append=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*dict.fromkeys((*LOOPBACK, name))).configure_cert(server)
    return Certificates(server=server, ca_file=ca_file, bundle=bundle)
