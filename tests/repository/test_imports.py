"""The import contract: which package may know which, as one table."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests import ROOT

OURS = ("webhook", "worker", "api", "infra", "tests")

CONTRACT, SETTINGS, LOG = "webhook.contract", "webhook.settings", "webhook.log"
REDIS, SHARDS, PUBLIC_HOST = "webhook.redis", "webhook.shards", "webhook.public_host"
TASK_SENDER = "webhook.task_sender"
VERSION = "worker.version"
FOUNDATION = ("worker.errors", "worker.probe", "worker.text", "worker.types", VERSION, LOG)

# What files below a folder may import of ours, besides that folder; the longest match counts.
ARROWS: dict[str, tuple[str, ...]] = {
    "webhook": (),
    "worker.errors": (),
    "worker.probe": (),
    "worker.text": (),
    "worker.types": (),
    "worker.version": (),
    "worker.formats": (VERSION,),
    "worker.storage": FOUNDATION,
    "worker.broker": (*FOUNDATION, CONTRACT, SETTINGS, REDIS, TASK_SENDER),
    # Its probe starts every few seconds: it imports nothing else.
    "worker.liveness": (LOG, CONTRACT, "worker.broker.consumer"),
    "worker.liveness.__main__": ("worker.liveness.beat_file",),
    "worker.liveness.beat_file": (),
    "worker.jobs": (*FOUNDATION, CONTRACT, REDIS, SHARDS),
    "worker.api_keys": (REDIS, "worker.jobs.tenant"),
    "worker.notifications": (
        *FOUNDATION,
        CONTRACT,
        REDIS,
        SHARDS,
        "worker.jobs",
        "worker.storage",
    ),
    "worker.metrics": (
        *FOUNDATION,
        CONTRACT,
        REDIS,
        SHARDS,
        "webhook.server",
        "worker.jobs",
        "worker.notifications",
    ),
    "worker.retention": (*FOUNDATION, SHARDS, "worker.jobs", "worker.storage"),
    "worker.traces": (*FOUNDATION, "worker.jobs"),
    "worker.pipeline": (*FOUNDATION, CONTRACT, "worker.jobs"),
    "worker.fal": (*FOUNDATION, "worker.formats"),
    "worker.provenance": (*FOUNDATION, "worker.formats"),
    "worker.catalogue": (*FOUNDATION, PUBLIC_HOST, "worker.formats"),
    "worker.transcode": (*FOUNDATION, "worker.formats", "worker.provenance"),
    "worker.settings": (
        *FOUNDATION,
        SETTINGS,
        "worker.formats",
        "worker.fal.download",
        "worker.transcode.choices",
        "worker.transcode.loudness_target",
        "worker.transcode.poster",
        "worker.transcode.profiles",
        "worker.retention.periods",
    ),
    "worker.operations": (
        *FOUNDATION,
        CONTRACT,
        SHARDS,
        "worker.jobs",
        "worker.notifications",
        "worker.traces.context",
        "worker.storage",
        "worker.formats",
        "worker.fal",
        "worker.catalogue",
        "worker.transcode.loudness_target",
        "worker.transcode.poster",
        "worker.transcode.profiles",
    ),
    "worker.steps": (
        *FOUNDATION,
        CONTRACT,
        SHARDS,
        "worker.jobs",
        "worker.storage",
        "worker.formats",
        "worker.fal",
        "worker.catalogue",
        "worker.provenance",
        "worker.transcode",
    ),
    "worker.storage_claim": (*FOUNDATION, "worker.jobs", "worker.storage"),
    "worker.redis_age": (*FOUNDATION, "worker.storage"),
    "worker.startup": (
        *FOUNDATION,
        SETTINGS,
        PUBLIC_HOST,
        "worker.settings",
        "worker.jobs",
        "worker.storage",
        "worker.storage_claim",
        "worker.broker",
        "worker.provenance",
        "worker.transcode.ffmpeg",
    ),
    "worker.composition": (
        *FOUNDATION,
        "worker.redis_age",
        CONTRACT,
        SETTINGS,
        "worker.pipeline",
        "worker.startup",
        "worker.settings",
        "worker.operations",
        "worker.notifications",
        "worker.steps",
        "worker.jobs",
        "worker.catalogue",
        "worker.fal",
        "worker.storage",
        "worker.broker",
        "worker.transcode.loudness_target",
        "worker.transcode.poster",
        "worker.transcode.profiles",
        "worker.formats",
        "worker.retention",
        "worker.traces",
    ),
    "worker.app": (
        *FOUNDATION,
        CONTRACT,
        "worker.composition",
        "worker.pipeline",
        "worker.startup",
        "worker.settings",
        "worker.jobs.deployment",
        "worker.jobs.store",
        "worker.liveness",
        "worker.metrics",
        "worker.storage",
        "worker.storage_claim",
        "worker.broker",
        "worker.steps.sweep",
        "worker.retention",
    ),
    "worker.celery": (LOG, "worker.app", "worker.settings", "worker.startup"),
    "worker.__main__": ("worker.cli",),
    "worker.cli": (
        *FOUNDATION,
        CONTRACT,
        SETTINGS,
        REDIS,
        SHARDS,
        PUBLIC_HOST,
        "webhook.celery_variables",
        "webhook.server.sockets",
        "worker.metrics",
        "worker.startup",
        "worker.settings",
        "worker.operations",
        "worker.notifications",
        "worker.api_keys",
        "worker.jobs",
        "worker.catalogue",
        "worker.fal",
        "worker.storage",
        "worker.storage_claim",
        "worker.redis_age",
        "worker.broker",
        "worker.provenance",
        "worker.transcode.ffmpeg",
        "worker.retention.archive",
    ),
    "api": (
        *FOUNDATION,
        CONTRACT,
        SETTINGS,
        REDIS,
        SHARDS,
        "webhook.server",
        "worker.api_keys",
        "worker.broker.client",
        "worker.broker.heartbeats",
        "worker.broker.queue_length",
        "worker.broker.wake_thread",
        "worker.catalogue",
        "worker.fal.client",
        "worker.formats",
        "worker.jobs",
        "worker.metrics",
        "worker.notifications",
        "worker.operations",
        "worker.retention.archive",
        "worker.settings.api",
        "worker.storage",
    ),
    "infra": (),
    "infra.derived": (
        "worker.catalogue",
        "worker.cli.settings",
        "worker.metrics.table",
        "worker.settings.listed",
    ),
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


@pytest.mark.parametrize("room", ARROWS)
def test_arrows(room: str) -> None:
    """Every import of ours follows an arrow of the table."""
    wrong = [
        (str(path.relative_to(ROOT)), name)
        for path in _room_files(room)
        for name in imported(path)
        if ours(name) and not below(name, (room, *ARROWS[room]))
    ]
    assert [] == wrong


def test_every_module_is_in_a_room() -> None:
    """Each file of the worker is covered by a row of the table; only the package itself is not."""
    files = {path for room in ARROWS for path in _room_files(room)}
    assert [ROOT / "worker" / "__init__.py"] == sorted(set(_files("worker")) - files)


def test_the_arrows_have_no_circle() -> None:
    """The rooms can be put in an order in which every arrow leads down."""
    arrows = {room: {_room(target) for target in targets} for room, targets in ARROWS.items()}
    del arrows["tests"]
    TopologicalSorter(arrows).prepare()


def test_one_front_door() -> None:
    """A name is imported from its package's `__all__` if it is in it, else from its own module."""
    doors = {module: names for module in _modules() if (names := exported(_path(module)))}
    wrong = [
        (str(path.relative_to(ROOT)), module, name)
        for path in _files("worker") + _files("webhook") + _files("infra") + _files("tests")
        for module, name in names_imported(path)
        if not _is_front_door(path, module, name, doors)
    ]
    assert [] == wrong


def test_only_packages_re_export() -> None:
    """No module but a package's `__init__` has an `__all__`: it would be a second door."""
    modules = [path for path in _files("worker") + _files("webhook") if exported(path)]
    assert [] == [str(p.relative_to(ROOT)) for p in modules if p.name != "__init__.py"]


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


def _room(module: str) -> str:
    """The longest row of the table that covers this module."""
    return max((room for room in ARROWS if below(module, (room,))), key=len, default=module)


def _room_files(room: str) -> list[Path]:
    """The files of a room, without those of rooms within it."""
    package = room.partition(".")[0]
    return [path for path in _files(package) if _room(_module(path)) == room]


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _modules() -> dict[str, Path]:
    return {_module(path): path for package in OURS for path in _files(package)}


def _path(module: str) -> Path:
    return _modules()[module]


@cache
def exported(path: Path) -> frozenset[str]:
    """The names in a file's `__all__`."""
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return frozenset(ast.literal_eval(value))
    return frozenset()


@cache
def names_imported(path: Path) -> tuple[tuple[str, str], ...]:
    """Module and name of each `from … import` of ours, anywhere in a file."""
    return tuple((module, name) for module, name, _ in _imports(path))


@cache
def _imports(path: Path) -> tuple[tuple[str, str, str], ...]:
    """Module, name and bound name of each `from … import` of ours."""
    return tuple(
        (node.module, alias.name, alias.asname or alias.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and ours(node.module)
        for alias in node.names
    )


def _is_front_door(path: Path, module: str, name: str, doors: Mapping[str, frozenset[str]]) -> bool:
    if f"{module}.{name}" in _modules() and name not in doors.get(module, ()):
        return True  # a module, not a name of one
    if name in doors.get(module, ()):
        return True
    packages = [door for door in doors if below(module, (door,))]
    importer = _module(path)
    inside = any(below(importer, (package,)) for package in packages)
    behind = any((module, name) in names_imported(_path(package)) for package in packages)
    borrowed = any(name == bound for _, _, bound in _imports(_path(module)))
    return not borrowed and (inside or not behind)


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
