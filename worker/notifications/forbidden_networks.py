"""The addresses to which nothing is sent: whatever is not a public host of the internet.

https://www.iana.org/assignments/iana-ipv4-special-registry
https://www.iana.org/assignments/iana-ipv6-special-registry
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Beside those that are not global, or multicast. Each of the first four leads to an IPv4 address
# of its choice, and Python counts some of them as global.
_EMBEDDING = (
    "::ffff:0:0/96",  # mapped: RFC 4291, section 2.5.5.2
    "::/96",  # compatible: RFC 4291, section 2.5.5.1
    "64:ff9b::/96",  # NAT64: RFC 6052
    "64:ff9b:1::/48",  # NAT64 of a network: RFC 8215
    "2001::/23",  # Teredo and other protocols: RFC 4380, RFC 2928
    "2002::/16",  # 6to4: RFC 3056
)
_OTHERS = (
    "192.0.0.0/24",  # IETF protocols, and metadata on Oracle's machines
    "192.88.99.0/24",  # relays of 6to4: RFC 7526
    "168.63.129.16/32",  # public in form: services of the machine on Azure
    "fec0::/10",  # site-local: RFC 3879
    "3fff::/20",  # documentation: RFC 9637
    "5f00::/16",  # segment routing: RFC 9602
)
_FORBIDDEN = tuple(map(ipaddress.ip_network, (*_EMBEDDING, *_OTHERS)))


def is_forbidden(address: Address) -> bool:
    """Return whether nothing may be sent to this address."""
    if not address.is_global or address.is_multicast or address.is_reserved:
        return True
    return any(address in network for network in _FORBIDDEN if network.version == address.version)


def read_address(text: str) -> Address:
    """Return the address in a text, as a resolver returns it. Raises ValueError."""
    # A scope makes an address one of this machine's own network.
    return ipaddress.ip_address(text.partition("%")[0])
