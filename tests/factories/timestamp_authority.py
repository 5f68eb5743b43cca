"""A local time stamp authority (RFC 3161): openssl behind a small HTTP server."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

_CONFIGURATION = """
[req]
distinguished_name = name
prompt = no
[name]
CN = falhook test time stamps
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[stamper]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = here
[here]
serial = serial
signer_cert = stamper.pem
certs = root.pem
signer_key = stamper.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256,sha384,sha512
ess_cert_id_alg = sha256
"""
_KEY = "-newkey rsa:2048 -nodes -keyout"
_COMMANDS = (
    f"req -x509 {_KEY} root.key -out root.pem -days 2 -config tsa.cnf -extensions root",
    f"req {_KEY} stamper.key -out stamper.csr -config tsa.cnf",
    "x509 -req -in stamper.csr -CA root.pem -CAkey root.key -set_serial 7 -days 2"
    " -extfile tsa.cnf -extensions stamper -out stamper.pem",
)


class Authority:
    """An authority with its files in `directory`; `requests` counts its time stamps."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.requests = 0
        (directory / "tsa.cnf").write_text(_CONFIGURATION)
        (directory / "serial").write_text("01\n")
        for command in _COMMANDS:
            self._openssl(*command.split())

    @property
    def root(self) -> str:
        """The PEM certificate that its stamps lead to."""
        return (self.directory / "root.pem").read_text()

    def stamp(self, query: bytes) -> bytes:
        """Return the response to a request for a time stamp."""
        self.requests += 1
        (self.directory / "query").write_bytes(query)
        return self._openssl("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query")

    def _openssl(self, *arguments: str) -> bytes:
        process = subprocess.run(
            ["openssl", *arguments], cwd=self.directory, check=True, capture_output=True
        )
        return process.stdout


@contextmanager
def serving(authority: Authority | None, *, status: int = 200) -> Iterator[str]:
    """Yield the URL of a server for the authority; without one it returns rubbish."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            body = authority.stamp(query) if authority else b"rubbish"
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
