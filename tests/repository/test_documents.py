"""The documents match the program: settings, make targets, folders, tests, links."""

import re
import shutil
import subprocess

import click
import pytest

from infra.derived import contents
from tests import ROOT
from worker.cli.main import cli

README = (ROOT / "README.md").read_text()
DECISIONS = (ROOT / "DECISIONS.md").read_text()
DOCUMENTS = (
    "README.md",
    "DECISIONS.md",
    "CHANGELOG.md",
    "infra/README.md",
    "infra/SCALING.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)


def paths(text: str) -> list[str]:
    """Return the repository's files and folders that a text names."""
    return re.findall(r"(?<![\w/.:-])((?:webhook|worker|infra|tests|docs)/[\w./-]*\w/?)", text)


def test_derived_files_are_current() -> None:
    """`make derived` would change nothing: the lists of settings and endpoints are as declared."""
    assert [] == [file.name for file, content in contents() if content != file.read_text()]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_only_make_targets_that_exist(document: str) -> None:
    """Every `make …` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / document).read_text()
    assert set() == set(re.findall(r"(?:`|\$ )make ([a-z]+)", text)) - targets


@pytest.mark.parametrize("package", ["webhook", "worker"])
def test_the_architecture_describes_every_folder(package: str) -> None:
    """Its table of folders has a row for each folder of the receiver and the pipeline."""
    folders = {
        package,
        *(f"{package}/{path.parent.name}" for path in ROOT.glob(f"{package}/*/__init__.py")),
    }
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert set() == folders - set(re.findall(r"^\| `([\w/]+)/` \|", text, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    """Every relative link of a document names a file, and a heading of it if it names one."""
    text, folder = (ROOT / document).read_text(), (ROOT / document).parent
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", text)
    wrong = [
        f"{file}#{heading}"
        for file, heading in links
        if not (target := folder / file if file else ROOT / document).is_file()
        or (heading and heading not in anchors(target.read_text()))
    ]
    assert [] == wrong


def anchors(text: str) -> set[str]:
    """Return the names that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_only_commands_that_exist(document: str) -> None:
    """Every `falhook …` in a document is a command."""
    named = re.findall(r"(?:`|\$ )falhook ([a-z]+)", (ROOT / document).read_text())
    assert set() == set(named) - commands()


def test_the_usage_names_every_command() -> None:
    """docs/usage.md shows each command of `falhook`, except those that other documents explain."""
    text = (ROOT / "docs" / "usage.md").read_text()
    missing = {name for name in commands() if f"falhook {name}" not in text}
    assert {"provenance", "settings"} == missing


def commands() -> set[str]:
    """Return the names of the commands of `falhook`."""
    return set(cli.list_commands(click.Context(cli)))


def test_the_readme_is_short() -> None:
    """README stays within about one and a half screens; details belong to docs/."""
    assert len(README.splitlines()) <= 110


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_tests_that_documents_name_exist(document: str) -> None:
    """Every test that a document names exists, by file and function."""
    missing = [
        f"{path}::{name}"
        for path, name in re.findall(r"(tests/[\w/]+\.py)::(\w+)", (ROOT / document).read_text())
        if not (ROOT / path).is_file() or f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert [] == missing


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_paths_that_documents_name_exist(document: str) -> None:
    """Every file and folder of the repository that a document names exists."""
    named = paths((ROOT / document).read_text())
    assert [] == [path for path in named if not (ROOT / path).exists()]


def test_paths_are_found() -> None:
    """The search above finds paths without `::`, with it, and of folders."""
    expected = {"tests/webhook/test_inbox.py", "tests/fuzz/", "infra/redis.conf"}
    text = README + (ROOT / "docs" / "architecture.md").read_text()
    assert expected | {"docs/job.svg"} <= set(paths(text))
    assert {"tests/worker/test_pipeline.py"} == set(paths("`tests/worker/test_pipeline.py::test`"))


def test_every_decision_names_its_test() -> None:
    """Each entry of DECISIONS.md names the tests that keep it true, or says that it has none."""
    entries = re.split(r"^### ", DECISIONS, flags=re.MULTILINE)[1:]
    ending = re.compile(r"^(Tests?: `tests/|No test)", re.MULTILINE)
    assert [] == [entry.partition("\n")[0] for entry in entries if not ending.search(entry)]


def test_make_lock_says_what_it_needs() -> None:
    """Without uv, `make lock` names it and where to get it, and leaves the locks unchanged."""
    locks = [ROOT / "requirements.lock", ROOT / "requirements-runtime.lock"]
    before = [lock.read_bytes() for lock in locks]
    make = shutil.which("make")
    assert make is not None
    process = subprocess.run(
        [make, "lock"], cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert (2, "needs uv", before) == (
        process.returncode,
        " ".join(process.stderr.split()[2:4]).rstrip(","),
        [lock.read_bytes() for lock in locks],
    )


def test_no_file_names_a_registry() -> None:
    """No file names the host of a package registry; the lock in particular does not."""
    hosts = [
        ".".join(name) for name in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))
    ]
    folders = [ROOT / name for name in ("webhook", "worker", "infra", "tests", "docs", ".ci")]
    files = [path for folder in folders for path in folder.rglob("*")] + list(ROOT.glob("*.*"))
    naming = [
        str(path)
        for path in files
        if path.is_file() and path.suffix != ".pyc"
        if any(host.encode() in path.read_bytes() for host in hosts)
    ]
    assert [] == naming
