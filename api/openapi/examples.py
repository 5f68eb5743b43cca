"""Examples of clients, as files that are run as they are, and as text of the document."""

from collections.abc import Mapping
from importlib import resources

# The file of each example, by the name of its language.
EXAMPLES: Mapping[str, str] = {
    "curl": "create.sh",
    "Python": "create.py",
    "Node": "create.mjs",
    "Go": "create.go",
}


def as_markdown() -> str:
    """Return all examples as the document shows them."""
    folder = resources.files("api.docs").joinpath("examples")
    return "".join(
        f"\n### {language}\n\n```\n{folder.joinpath(name).read_text()}```\n"
        for language, name in EXAMPLES.items()
    )
