"""The command `make derived`, which writes the files that follow from others.

| file | from |
|---|---|
| worker/settings/settings.json | the classes of settings |
| infra/env.example, and the table of docs/settings.md | settings.json |
| the tables of docs/metrics.md | worker/metrics/manifest.toml |
| worker/catalogue/packaged.json | worker/catalogue/data/*.toml |
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from worker.catalogue.catalogue import declared as declared_endpoints
from worker.catalogue.files import packed
from worker.cli.settings import env_example, markdown
from worker.metrics.table import markdown as metrics_table
from worker.settings import listed

ROOT = Path(__file__).parents[1]
_SETTINGS = ROOT / "docs" / "settings.md"
_BEGIN, _END = "<!-- settings: falhook settings --as markdown -->\n", "<!-- /settings -->"
_METRICS = ROOT / "docs" / "metrics.md"
_FIRST, _LAST = "<!-- metrics: make derived -->\n", "<!-- /metrics -->"


def contents() -> Iterator[tuple[Path, str]]:
    """Yield each file with its content; a later one may be made from an earlier one."""
    yield packed.FILE, packed.packed(declared_endpoints())
    yield listed.FILE, listed.as_json(listed.declared())
    yield ROOT / "infra" / "env.example", env_example()
    yield _SETTINGS, _between(_SETTINGS, _BEGIN, markdown(), _END)
    yield _METRICS, _between(_METRICS, _FIRST, metrics_table(), _LAST)


def _between(file: Path, begin: str, text: str, end: str) -> str:
    """Return the content of a file with a text between its two marks."""
    before, begin, rest = file.read_text(encoding="utf-8").partition(begin)
    _, end, after = rest.partition(end)
    return "".join([before, begin, text, end, after])


def main() -> int:
    """Write the files that differ, and name them."""
    for file, content in contents():
        if not file.exists() or file.read_text(encoding="utf-8") != content:
            file.write_text(content, encoding="utf-8")
            sys.stdout.write(f"{file.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
