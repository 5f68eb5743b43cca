"""URLs that fal can never fetch are rejected before they cost a failed job."""

import pytest

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InvalidArguments
from worker.catalogue.inputs import Input, InputType

MODEL = Endpoint(endpoint="a/b", inputs=(Input(name="image_url", kind=InputType.URL),))


def error(address: str) -> str:
    """Return the error for this image URL; "" if it is accepted."""
    try:
        MODEL.check({"image_url": address})
    except InvalidArguments as invalid:
        return invalid.problems[0].message
    return ""


@pytest.mark.parametrize(
    "host",
    [
        *("x.invalid", "a.test", "router.lan", "x.home.arpa", "home.arpa", "nas.home", "nas.HOME."),
        *("a.corp", "mx.mail", "pc.localdomain", "a.intranet", "a.private", "a.onion", "a.alt"),
        *("[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]", "[2002:7f00:1::]", "[2002:c0a8:101::1]"),
        *("[::7f00:1]", "[fec0::1]", "[100::1]", "[2001:db8::1]", "[4000::1]", "[ff0e::1]"),
        *("[2001:0:7f00:1::1]", "[64:ff9b:1::1]"),
    ],
)
def test_hosts_that_the_internet_does_not_have(host: str) -> None:
    """Reserved names, and IPv6 addresses that are private or wrap a private IPv4 address."""
    assert "must be a URL that fal can reach on the internet" == error(f"https://{host}/a.png")


@pytest.mark.parametrize(
    "host",
    [
        *("example.com", "test.example.com", "home.pl", "lan.example.org", "invalid.net"),
        *("home.arpa.example.com", "example.com.", "example.com:1", "example.com:65535"),
        *("8.8.8.8", "[2606:4700::1]", "[64:ff9b::808:808]", "[2002:808:808::1]"),
        *("[::ffff:8.8.8.8]", "xn--bcher-kva.example"),
    ],
)
def test_hosts_that_may_be_on_the_internet(host: str) -> None:
    """The same words elsewhere in a name, and public addresses in any form."""
    assert "" == error(f"https://{host}/a.png")


@pytest.mark.parametrize("port", ["0", "00"])
def test_port_0_is_rejected(port: str) -> None:
    """The error names the port."""
    message = "must be a URL with a port from 1 to 65535 or none"
    assert message == error(f"https://example.com:{port}/a.png")
