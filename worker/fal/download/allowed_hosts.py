"""Which hosts a result may be downloaded from: FALHOOK_DOWNLOAD_HOSTS."""

import ipaddress
import re
from dataclasses import dataclass

from worker.fal.download.url import climbs, host_of, plain, refused

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
FORMS = "host, *.host, host:port or host/prefix/, comma-separated"
HTTPS_PORT = 443

_ENTRY = re.compile(
    r"(?P<wildcard>\*\.)?"
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?P<prefix>/[!-~]*/|/)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedHost:
    """One entry: a host, perhaps with its subdomains instead, a port, a path prefix."""

    host: str
    subdomains: bool
    port: int | None
    prefix: str

    @classmethod
    def parse(cls, entry: str) -> "AllowedHost":
        """Raises ValueError with a sentence that names the setting, the value and the cure."""
        match = _ENTRY.fullmatch(entry)
        if match is None or (match["wildcard"] and "." not in match["host"]):
            raise ValueError(f"FALHOOK_DOWNLOAD_HOSTS: {entry!r} is no entry; write {FORMS}")
        port = int(match["port"]) if match["port"] else None
        if port is not None and not 0 < port < 2**16:
            raise ValueError(f"FALHOOK_DOWNLOAD_HOSTS: {entry!r} has no port from 1 to 65535")
        prefix = match["prefix"] or "/"
        if climbs(prefix):
            raise ValueError(f"FALHOOK_DOWNLOAD_HOSTS: {entry!r} holds '..'; write the plain path")
        return cls(
            host=match["host"].strip("[]"),
            subdomains=bool(match["wildcard"]),
            port=port,
            prefix=prefix,
        )

    @property
    def loopback(self) -> bool:
        """Whether the operator named this very machine, as for a simulated fal."""
        return self.host in LOOPBACK_HOSTS and not self.subdomains

    def allows(self, *, host: str, port: int, path: str) -> bool:
        named = host.endswith(f".{self.host}") if self.subdomains else host == self.host
        reachable = port == (self.port or HTTPS_PORT) or (self.loopback and self.port is None)
        return named and reachable and path.startswith(self.prefix)

    def allows_address(self, address: str) -> bool:
        """Whether a connection to this IP address may be made for this entry.

        Only public addresses, so that a name cannot lead into the network of the worker; the
        loopback ones for an entry that says so.
        """
        ip = _innermost(ipaddress.ip_address(address.partition("%")[0]))
        if self.loopback and ip.is_loopback:
            return True
        return ip.is_global and not ip.is_multicast


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedHosts:
    """The hosts of FALHOOK_DOWNLOAD_HOSTS."""

    entries: tuple[AllowedHost, ...]

    @classmethod
    def parse(cls, setting: str) -> "AllowedHosts":
        """Of a comma-separated list: `*.fal.media,storage.googleapis.com/falserverless/`.

        Raises ValueError with a sentence that names the setting, the value and the cure.
        """
        entries = tuple(AllowedHost.parse(word.strip().lower()) for word in setting.split(","))
        return cls(entries=entries)

    def check(self, url: str) -> AllowedHost:
        """The entry that allows `url`.

        Raises Permanent("download_refused") where none does, or where the URL is not plain
        https. Nothing is resolved or sent.
        """
        parsed = plain(url)
        host, port = host_of(parsed), parsed.port or HTTPS_PORT
        path = parsed.raw_path.partition(b"?")[0].decode("ascii")
        for entry in self.entries:
            if entry.allows(host=host, port=port, path=path):
                return entry
        raise refused(
            f"{host[:100]}:{port} is not among FALHOOK_DOWNLOAD_HOSTS with this path; "
            "add it there if it is fal's"
        )


def _innermost(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address inside an IPv6 one that only carries it (RFC 4291, 3056, 6052)."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    nat64 = ipaddress.IPv6Network("64:ff9b::/96")
    if ip in nat64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
