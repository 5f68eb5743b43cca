"""One proxy policy for all requests, on a real CONNECT proxy."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.factories.cdn import FakeCdn, plain, running_cdn
from worker.errors import Permanent, Transient
from worker.fal.client import FalClient
from worker.fal.download import AllowedHosts, Downloader, DownloadLimits, http_client
from worker.fal.proxies import Proxies
from worker.fal.single_post import NotAccepted


@dataclass
class Proxy:
    """A proxy that answers each CONNECT with `status`, and leads every tunnel to `port`."""

    port: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    status: int = 200
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with closing(client), suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            self.asked.append(head.split()[1].decode())
            client.sendall(b"HTTP/1.1 %d Told\r\n\r\n" % self.status)
            if self.status != 200:
                return
            with closing(socket.create_connection(("127.0.0.1", self.port))) as server:
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join(5)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def cdn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCdn]:
    """A CDN that is known as cdn.example to the proxy alone."""
    with running_cdn(tmp_path) as cdn:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        yield cdn


@pytest.fixture
def proxy(cdn: FakeCdn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The proxy of the environment."""
    proxy = Proxy(port=cdn.port)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    yield proxy
    proxy.listener.shutdown(socket.SHUT_RDWR)
    proxy.listener.close()
    thread.join(5)


def download(cdn: FakeCdn, **options: object) -> bytes:
    with http_client() as client:
        downloader = Downloader(
            hosts=AllowedHosts.parse(f"cdn.example:{cdn.port}"),
            limits=DownloadLimits(max_bytes=1000),
            client=client,
            **options,  # type: ignore[arg-type]
        )
        body: list[bytes] = []

        def write(chunks: Iterator[bytes]) -> None:
            body.extend(chunks)

        downloader.fetch(cdn.url(host="cdn.example"), write)
        return b"".join(body)


def unknown(_host: str, _port: int) -> list[str]:
    raise OSError("no such name")


def test_downloads_use_it(cdn: FakeCdn, proxy: Proxy) -> None:
    """A host whose name only the proxy can resolve is reached; its certificate is checked."""
    cdn.answers(plain(200, b"the file"))
    assert b"the file" == download(cdn, resolve=unknown)
    assert [f"cdn.example:{cdn.port}"] == proxy.asked


def test_a_private_address_is_refused(cdn: FakeCdn, proxy: Proxy) -> None:
    """A name that leads into the network of the worker is not asked for through a proxy either."""
    with pytest.raises(Permanent, match="not public"):
        download(cdn, resolve=lambda *_: ["10.0.0.1"])
    assert [] == proxy.asked


@pytest.mark.parametrize("status", [407, 502, 503])
def test_a_refused_tunnel_is_tried_again(cdn: FakeCdn, proxy: Proxy, status: int) -> None:
    """Nothing was sent: neither a download nor a POST counts as made."""
    proxy.status = status
    with pytest.raises(Transient, match="download_unavailable"):
        download(cdn, resolve=unknown)
    with pytest.raises(NotAccepted, match="proxy_refused"):
        FalClient("id:secret").submit("acme/x", {}, "https://hooks.example.com/x")
    assert "queue.fal.run:443" == proxy.asked[-1]


def test_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY names hosts without a proxy; this machine never has one."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "fal.media,.corp.example")
    proxies = Proxies.from_env()
    hosts = ("fal.run", "v3b.fal.media", "a.corp.example", "localhost", "127.0.0.1", "::1")
    assert [True, False, False, False, False, False] == [proxies.used_for(host) for host in hosts]
    monkeypatch.delenv("HTTPS_PROXY")
    assert not Proxies.from_env().used_for("fal.run")
