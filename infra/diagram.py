"""The command `make diagram`, which draws docs/job.svg from docs/job.dot with Graphviz.

Graphviz does not support colour schemes, so the drawing gets a style sheet with a light and a dark
one. It also stores a hash of its source and style, which a test compares without Graphviz.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
SOURCE = DOCS / "job.dot"
DRAWING = DOCS / "job.svg"

_TITLE = "How a job moves: from QUEUED over one POST to fal and its signed callback to PUBLISHED"
# Selectors are the `class` of nodes and edges; a style sheet overrides Graphviz's attributes.
_STYLE = """
text { fill: #1f2328 }
.note text { fill: #59636e }
.state path { fill: #ddebff; stroke: #0a5bc4 }
.done path { fill: #d9f5e0; stroke: #1a7f37 }
.ended path { fill: #ffe4e0; stroke: #c02a20 }
.around path { fill: #fff3d1; stroke: #8f6400 }
.move path { stroke: #0a5bc4 }
.move polygon { fill: #0a5bc4; stroke: #0a5bc4 }
.message path { stroke: #8f6400 }
.message polygon { fill: #8f6400; stroke: #8f6400 }
.hidden { visibility: hidden }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.note text { fill: #a6b0bb }
.state path { fill: #10294d; stroke: #5aa2ff }
.done path { fill: #0f3320; stroke: #3fb950 }
.ended path { fill: #471a17; stroke: #ff7b72 }
.around path { fill: #3a2c08; stroke: #d9a521 }
.move path { stroke: #5aa2ff }
.move polygon { fill: #5aa2ff; stroke: #5aa2ff }
.message path { stroke: #d9a521 }
.message polygon { fill: #d9a521; stroke: #d9a521 }
}
"""


def fingerprint(source: str) -> str:
    """Return the hash of a source and of the style sheet."""
    return hashlib.sha256(f"{_STYLE}\n{source}".encode()).hexdigest()


def drawn_from(drawing: str) -> str:
    """Return the fingerprint that `styled` stored in a drawing; empty if it has none."""
    match = re.search(r'data-source="([0-9a-f]{64})"', drawing)
    return match[1] if match else ""


def styled(drawing: str, source: str) -> str:
    """Return Graphviz's drawing of `source` with title, style and fingerprint, sized in pixels."""
    body = drawing[drawing.index("<svg") :]
    # Remove the names of nodes, which browsers show as tooltips, and comments that repeat them.
    body = re.sub(r"<title>.*?</title>\n|<!--.*?-->\n", "", body, flags=re.DOTALL)
    body = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', body, count=2)
    body = body.replace("<svg", f'<svg role="img" data-source="{fingerprint(source)}"', 1)
    head, end, rest = body.partition(">\n")
    return f"{head}{end}<title>{_TITLE}</title>\n<style>{_STYLE}</style>\n{rest}"


def main() -> int:
    """Draw docs/job.svg. Return 2 without Graphviz, else 0."""
    dot = shutil.which("dot")
    if dot is None:
        sys.stderr.write("make diagram needs Graphviz: install it from https://graphviz.org\n")
        return 2
    drawing = subprocess.run(
        [dot, "-Tsvg", str(SOURCE)], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    DRAWING.write_text(styled(drawing, SOURCE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
