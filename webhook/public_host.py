"""Hosts that fal can reach on the internet, by their name or address alone: nothing is resolved."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# RFC 6761, RFC 6762 with its appendix G, RFC 7686, RFC 9476; ICANN keeps .internal for private
# networks (2024) and delegates neither .corp, .home nor .mail (2018).
_NEVER_PUBLIC = frozenset(
    {"localhost", "local", "test", "invalid", "internal", "intranet", "private", "corp", "home"}
    | {"lan", "mail", "localdomain", "onion", "alt"}
)
_HOME_ARPA = ["home", "arpa"]  # RFC 8375
# https://www.iana.org/assignments/ipv6-address-space : all of IPv6 that is allocated.
_IPV6 = IPv6Network("2000::/3")
_EMBEDS_IPV4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))  # RFC 4291, RFC 6052


def is_host(host: str) -> bool:
    """Return whether this is the host of a URL in the URL standard's form, as pydantic returns."""
    return _as_ip(host) is not None or all(map(_LABEL.fullmatch, _labels(host)))


def is_public(host: str) -> bool:
    """Return whether this host may be on the internet: no private address, no local name."""
    address = _as_ip(host)
    if address is None:
        labels = _labels(host)
        return len(labels) > 1 and labels[-1] not in _NEVER_PUBLIC and labels[-2:] != _HOME_ARPA
    allocated = isinstance(address, IPv4Address) or address in _IPV6
    return allocated and address.is_global and not address.is_multicast


def is_loopback(host: str) -> bool:
    """Return whether this is a name or an address of the machine itself."""
    address = _as_ip(host)
    return host == "localhost" if address is None else address.is_loopback


def _labels(host: str) -> list[str]:
    return host.removesuffix(".").split(".")


def _as_ip(host: str) -> IPv4Address | IPv6Address | None:
    # Pydantic has already normalized 2130706433 and 0x7f.1 to 127.0.0.1 (URL standard).
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    return address if isinstance(address, IPv4Address) else _embedded_ipv4(address) or address


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address to which gateways translate this address, if any."""
    if any(address in network for network in _EMBEDS_IPV4):
        return IPv4Address(address.packed[-4:])
    return address.sixtofour
