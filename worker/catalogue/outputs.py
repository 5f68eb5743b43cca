"""The types of an endpoint's outputs: `file`, `list<image>`, `optional<string>`."""

from collections.abc import Mapping

_FILES = frozenset({"file", "image", "video", "audio"})


def certain_file(outputs: Mapping[str, str]) -> bool:
    """Return whether every result contains a file: an output is a file or a list of files.

    Optional outputs and unknown types do not count.
    """
    return any(_item_type(kind) in _FILES for kind in outputs.values())


def _item_type(kind: str) -> str:
    while kind.startswith("list<") and kind.endswith(">"):
        kind = kind.removeprefix("list<").removesuffix(">")
    return kind
