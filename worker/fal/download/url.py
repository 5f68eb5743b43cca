"""Checks of a result's URL, before anything is sent to it."""

import re
from urllib.parse import quote, unquote, urlsplit

import httpx

from worker.errors import Permanent

MAX_URL_CHARACTERS = 8192
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\\<>\"^`{|}]")
_UNENCODED = re.compile(r"[^!-~]+")


def parse(url: str) -> httpx.URL:
    """Return the URL as it will be requested. Nothing is resolved or sent.

    Blanks around it are dropped; those in it, and letters beyond ASCII, are percent-encoded. It is
    always requested by https: what fal's hosts serve by http is there too. A dot that ends the host
    is dropped (RFC 3986, section 3.2.2).
    Raises Permanent("download_refused") unless it is a URL of http or https without a user name or
    `..`.
    """
    url = url.strip(" ")
    if url.startswith("//"):
        url = f"https:{url}"
    if len(url) > MAX_URL_CHARACTERS or _UNSAFE.search(url):
        raise refused(
            f"the result's URL is longer than {MAX_URL_CHARACTERS} characters"
            " or contains a character that is not allowed in a URL"
        )
    url = _encoded(url)
    try:
        # httpx makes the connection, so its reading of the URL is the one that counts.
        parsed, written = _secured(httpx.URL(url)), urlsplit(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise refused("the result's URL cannot be parsed") from error
    host = host_of(parsed)
    if parsed.scheme != "https" or not host:
        address = url.partition("?")[0][:100]  # a query may contain a signature
        raise refused(f"the result's URL is neither http nor https: {address}")
    if parsed.userinfo or "@" in written.netloc:
        raise refused(f"the result's URL on {host[:100]} contains a user name")
    if has_parent_segment(written.path):
        raise refused(f"the path of the result's URL on {host[:100]} contains '..'")
    return parsed


def _secured(url: httpx.URL) -> httpx.URL:
    """Return the URL by https if it is one of http, without a dot after its host."""
    if url.raw_host.endswith(b"."):
        url = url.copy_with(host=url.raw_host[:-1].decode("ascii"))
    return url.copy_with(scheme="https") if url.scheme == "http" else url


def _encoded(url: str) -> str:
    """Percent-encode path and query as UTF-8 (RFC 3987, section 3.1); the host stays as it is."""
    head, slashes, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    path = _UNENCODED.sub(lambda found: quote(found[0], safe=""), path)
    return f"{head}{slashes}{host}{slash}{path}"


def host_of(url: httpx.URL) -> str:
    """Return the host as it is resolved, an IPv6 address without brackets."""
    return url.raw_host.decode("ascii").strip("[]")


def refused(sentence: str) -> Permanent:
    """Return the failure of a URL to which no request is sent."""
    return Permanent("download_refused", sentence)


def has_parent_segment(path: str) -> bool:
    """Return whether any server on the way could read `..` in the path, however it is encoded."""
    decoded = unquote(path)
    while decoded != path:
        path, decoded = decoded, unquote(decoded)
    return ".." in re.split(r"[/\\;]", decoded)
