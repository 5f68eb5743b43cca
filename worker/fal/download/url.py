"""The URL of a result, before anything is asked of it."""

import re
from urllib.parse import unquote, urlsplit

import httpx

from worker.errors import Permanent

MAX_URL_CHARACTERS = 8192
_UNSAFE = re.compile(r"[^!-~]|[\\<>\"^`{|}]")


def plain(url: str) -> httpx.URL:
    """The URL as it will be asked for, where it is plain https.

    Raises Permanent("download_refused") where it is anything else. Nothing is resolved or sent.
    """
    if len(url) > MAX_URL_CHARACTERS or _UNSAFE.search(url):
        raise refused("the result's URL is too long or holds characters no URL may hold")
    try:
        # httpx makes the connection, so its reading of the URL is the one that counts.
        parsed, written = httpx.URL(url), urlsplit(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise refused("the result's URL cannot be read") from error
    host = host_of(parsed)
    if parsed.scheme != "https" or not host:
        raise refused(f"the result's URL is no https URL ({parsed.scheme[:20]}://{host[:100]})")
    if parsed.userinfo or "@" in written.netloc:
        raise refused(f"the result's URL on {host[:100]} holds a user name")
    if climbs(written.path):
        raise refused(f"the path of the result's URL on {host[:100]} holds '..'")
    return parsed


def host_of(url: httpx.URL) -> str:
    """The host as it is resolved, an IPv6 address without brackets."""
    return url.raw_host.decode("ascii").strip("[]")


def refused(sentence: str) -> Permanent:
    """The failure of a URL that is not asked for."""
    return Permanent("download_refused", sentence)


def climbs(path: str) -> bool:
    """Whether any server on the way could take the path for one with `..` in it."""
    decoded = unquote(path)
    while decoded != path:
        path, decoded = decoded, unquote(decoded)
    return ".." in re.split(r"[/\\;]", decoded)
