"""The import contract: which package may know which, as one table."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

OURS = ("webhook", "worker", "infra", "tests")

# What files below a folder may import of ours; the longest matching folder counts.
ARROWS: dict[str, tuple[str, ...]] = {
    "webhook": ("webhook",),
    "worker": ("worker", "webhook.contract", "webhook.settings", "webhook.log"),
    "infra": ("infra",),
    "tests": OURS,
}
# The system test drives the product from outside alone.
OUTSIDE = "tests/system/test_system.py"

FOREIGN = ("worker", "infra", "fal_client", "obstore", "imageio_ffmpeg")


def imported(path: Path) -> Iterator[str]:
    """The absolute names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(name: str) -> bool:
    """Whether a module is of this repository."""
    return name.partition(".")[0] in OURS


def below(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a module is one of these or lies within one."""
    return any(f"{name}.".startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("package", ARROWS)
def test_arrows(package: str) -> None:
    """Every import of ours follows an arrow of the table."""
    wrong = [
        (str(path.relative_to(ROOT)), name)
        for path in _files(package)
        for name in imported(path)
        if ours(name) and not below(name, ARROWS[package])
    ]
    assert [] == wrong


def test_the_system_test_imports_none_of_ours() -> None:
    """What the system test shows holds for anyone outside."""
    assert [] == [name for name in imported(ROOT / OUTSIDE) if ours(name)]


def test_the_receiver_loads_no_foreign_part() -> None:
    """Importing the receiver loads no pipeline, no fal-client, no media or storage library."""
    program = "import sys, webhook.app; print('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert [] == [name for name in loaded.stdout.split() if below(name, FOREIGN)]


@pytest.mark.parametrize("package", ["webhook", "worker", "infra", "tests"])
def test_nothing_reaches_for_what_is_not_in_the_repository(package: str) -> None:
    """No source mentions a folder beside the repository."""
    beside = "../" + "shared"
    found = [str(p) for p in _files(package) if beside in p.read_text()]
    assert [] == found


def test_only_the_celery_module_reads_the_environment_at_import() -> None:
    """No module but worker/celery.py looks at os.environ while it is imported."""
    paths = [path for package in ("webhook", "worker", "infra") for path in _files(package)]
    assert [] == [str(path) for path in paths if any(map(_environ, _at_import(path)))]


def _files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _at_import(path: Path) -> Iterator[ast.AST]:
    """The nodes that run at import: not the bodies and defaults of functions."""
    waiting: list[ast.AST] = list(ast.parse(path.read_text()).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def _environ(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="environ" | "getenv", value=ast.Name(id="os")):
            return True
    return False
