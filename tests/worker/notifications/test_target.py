"""Which addresses can be given as receivers, and which may be reached."""

import pytest

from worker.notifications.target import InvalidTarget, TargetRules

FORBIDDEN = [
    *("127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "::"),
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "fd00::1", "fc00::1"),
    *("169.254.0.1", "fe80::1", "fe80::1%eth0", "fec0::1"),
    *("169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"),
    *("100.64.0.1", "100.127.255.254"),
    *("224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1"),
    *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:808:808::1", "192.88.99.1"),
    *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "240.0.0.1", "255.255.255.255"),
    *("2001:db8::1", "100::1", "3fff::1", "not an address"),
]
PUBLIC = ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_nothing_is_sent_to_it(address: str) -> None:
    """Addresses of a network, a machine or a service, and those that hide another, are refused."""
    assert not TargetRules().allows("hooks.example.com", address)
    assert not TargetRules(loopback=True).allows("hooks.example.com", address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    """Hosts of the internet are allowed."""
    assert TargetRules().allows("hooks.example.com", address)


def test_loopback_needs_the_setting_and_the_name() -> None:
    """Only the local stack reaches this machine, and only by a name that says so."""
    assert TargetRules(loopback=True).allows("localhost", "127.0.0.1")
    assert not TargetRules().allows("localhost", "127.0.0.1")
    assert not TargetRules(loopback=True).allows("localhost", "10.0.0.1")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example.com/", "https"),
        ("https://hooks.example.com:8443/", "port 443, not 8443"),
        ("https://user:word@hooks.example.com/", "user or password"),
        ("https://hooks.example.com/#part", "fragment"),
        ("https://hooks.example.com/\\evil", "backslash"),
        ("https://höoks.example.com/", "ASCII"),
        ("https://hooks example.com/", "without blanks"),
        ("https:///path", "https://host/path"),
        ("ftp://hooks.example.com/", "https://host/path"),
        ("hooks.example.com", "https://host/path"),
        ("https://hooks.example.com:99999/", "https://host/path"),
        ("https://[::1/", "https://host/path"),
        ("https://127.0.0.1/", "not a public address"),
        ("https://[::ffff:127.0.0.1]/", "not a public address"),
        ("https://[64:ff9b::7f00:1]/", "not a public address"),
        ("https://0x7f.1/", "neither a name nor an address"),
        ("https://2130706433/", "neither a name nor an address"),
        ("https://127.1/", "neither a name nor an address"),
        ("https://017700000001/", "neither a name nor an address"),
        ("https://hooks.example.com/" + "a" * 2_000, "2,000"),
        ("", "ASCII"),
    ],
)
def test_it_cannot_be_given(url: str, why: str) -> None:
    """What cannot be sent to is refused when it is given, with the correction."""
    with pytest.raises(InvalidTarget, match=why):
        TargetRules().check(url)


def test_what_can_be_given() -> None:
    """https on its port, and http where that is allowed."""
    TargetRules().check("https://hooks.example.com/a?b=c")
    TargetRules().check("https://hooks.example.com:443")
    TargetRules(http=True).check("http://hooks.example.com:80/")
    TargetRules(loopback=True).check("http://localhost:9/")
    with pytest.raises(InvalidTarget, match="port 80"):
        TargetRules(http=True).check("http://hooks.example.com:8080/")
