"""The command `make derived`, which writes the files that follow from others.

| file | from |
|---|---|
| worker/settings/settings.json | the classes of settings |
| infra/env.example, and the table of docs/settings.md | settings.json |
| worker/catalogue/packaged.json | worker/catalogue/data/*.toml |
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from worker.catalogue.catalogue import declared as declared_endpoints
from worker.catalogue.files import packed
from worker.cli.settings import env_example, markdown
from worker.settings import listed

ROOT = Path(__file__).parents[1]
_SETTINGS = ROOT / "docs" / "settings.md"
_BEGIN, _END = "<!-- settings: falhook settings --as markdown -->\n", "<!-- /settings -->"


def contents() -> Iterator[tuple[Path, str]]:
    """Yield each file with its content; a later one may be made from an earlier one."""
    yield packed.FILE, packed.packed(declared_endpoints())
    yield listed.FILE, listed.as_json(listed.declared())
    yield ROOT / "infra" / "env.example", env_example()
    before, begin, rest = _SETTINGS.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    yield _SETTINGS, "".join([before, begin, markdown(), end, after])


def main() -> int:
    """Write the files that differ, and name them."""
    for file, content in contents():
        if not file.exists() or file.read_text(encoding="utf-8") != content:
            file.write_text(content, encoding="utf-8")
            sys.stdout.write(f"{file.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
