"""Which hosts a result may be downloaded from: FALHOOK_DOWNLOAD_HOSTS."""

import ipaddress
import re
from dataclasses import dataclass

from worker.errors import Permanent
from worker.fal.download.url import has_parent_segment, host_of, parse, refused

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
    """One entry: a host, or all its subdomains; optionally a port and a path prefix."""

    host: str
    subdomains: bool
    port: int | None
    prefix: str

    @classmethod
    def parse(cls, entry: str) -> "AllowedHost":
        """Read one entry. Raises ValueError with the setting, the entry and the correction."""
        match = _ENTRY.fullmatch(entry)
        if match is None or (match["wildcard"] and "." not in match["host"]):
            raise ValueError(f"FALHOOK_DOWNLOAD_HOSTS: {entry!r} is not a valid entry; use {FORMS}")
        port = int(match["port"]) if match["port"] else None
        if port is not None and not 0 < port < 2**16:
            raise ValueError(f"FALHOOK_DOWNLOAD_HOSTS: {entry!r} must have a port from 1 to 65535")
        prefix = match["prefix"] or "/"
        if has_parent_segment(prefix):
            raise ValueError(f"FALHOOK_DOWNLOAD_HOSTS: {entry!r} contains '..'; remove it")
        return cls(
            host=match["host"].strip("[]"),
            subdomains=bool(match["wildcard"]),
            port=port,
            prefix=prefix,
        )

    @property
    def loopback(self) -> bool:
        """Whether the entry names this machine, as it does for a simulated fal."""
        return self.host in LOOPBACK_HOSTS and not self.subdomains

    def allows(self, *, host: str, port: int, path: str) -> bool:
        """Return whether the entry allows a request to this host, port and path."""
        same_host = host.endswith(f".{self.host}") if self.subdomains else host == self.host
        same_port = port == (self.port or HTTPS_PORT) or (self.loopback and self.port is None)
        return same_host and same_port and path.startswith(self.prefix)

    def allows_address(self, address: str) -> bool:
        """Return whether this entry allows a connection to this IP address.

        Only public addresses are allowed, so that a name cannot lead into the worker's network;
        loopback addresses only if the entry names loopback.
        """
        ip = _innermost(ipaddress.ip_address(address.partition("%")[0]))
        if self.loopback and ip.is_loopback:
            return True
        return ip.is_global and not ip.is_multicast


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedHosts:
    """The entries of FALHOOK_DOWNLOAD_HOSTS."""

    entries: tuple[AllowedHost, ...]

    @classmethod
    def parse(cls, setting: str) -> "AllowedHosts":
        """Read a comma-separated list: `*.fal.media,storage.googleapis.com/falserverless/`.

        Raises ValueError with the setting, the entry and the correction.
        """
        entries = tuple(AllowedHost.parse(entry.strip().lower()) for entry in setting.split(","))
        return cls(entries=entries)

    def allows(self, url: str) -> bool:
        """Return whether an entry allows `url`; nothing is resolved or sent."""
        try:
            self.check(url)
        except Permanent:
            return False
        return True

    def check(self, url: str) -> AllowedHost:
        """Return the entry that allows `url`. Nothing is resolved or sent.

        Raises Permanent("download_refused") if no entry does or `url.parse` refuses the URL.
        """
        parsed = parse(url)
        host, port = host_of(parsed), parsed.port or HTTPS_PORT
        path = parsed.raw_path.partition(b"?")[0].decode("ascii")
        for entry in self.entries:
            if entry.allows(host=host, port=port, path=path):
                return entry
        raise refused(
            f"FALHOOK_DOWNLOAD_HOSTS does not allow {host[:100]}:{port} with this path; "
            "add it if it belongs to fal"
        )


def _innermost(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that an IPv6 address embeds (RFC 4291, 3056, 6052), else `ip`."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    nat64 = ipaddress.IPv6Network("64:ff9b::/96")
    if ip in nat64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
