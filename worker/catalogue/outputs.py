"""What a result holds, in the words of the catalogue: `file`, `list<image>`, `optional<string>`."""

from collections.abc import Mapping

_FILES = frozenset({"file", "image", "video", "audio"})


def certain_file(outputs: Mapping[str, str]) -> bool:
    """Whether every result holds a file: one of the outputs is a file, or a list of such.

    An optional output promises nothing, and of a type that is not known nobody can tell.
    """
    return any(_item(kind) in _FILES for kind in outputs.values())


def _item(kind: str) -> str:
    while kind.startswith("list<") and kind.endswith(">"):
        kind = kind.removeprefix("list<").removesuffix(">")
    return kind
