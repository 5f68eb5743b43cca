"""The names of objects."""

from worker.storage.local_directory import STAGING


def checked(key: str) -> str:
    """`key` itself. Raises ValueError where the kinds of stores would not agree on its meaning."""
    segments = key.split("/")
    if any(part in {"", ".", ".."} or STAGING.search(part) for part in segments):
        raise ValueError(f"{key!r} is no key: relative, no empty or dotted part, no #number ending")
    if not key.isprintable() or "\\" in key:
        raise ValueError(f"{key!r} is no key: it holds a control character or a backslash")
    return key
