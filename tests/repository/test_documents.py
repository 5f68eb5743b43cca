"""The documents match the program: settings, make targets, processes, folders, tests."""

import re
import shutil
import subprocess

import pytest

from tests import ROOT
from worker.cli.settings import env_example, markdown

README = (ROOT / "README.md").read_text()
DECISIONS = (ROOT / "DECISIONS.md").read_text()
DOCUMENTS = ("README.md", "DECISIONS.md", "CHANGELOG.md", "infra/README.md")


def paths(text: str) -> list[str]:
    """Return the repository's files and folders that a text names."""
    return re.findall(r"(?<![\w/.:-])((?:webhook|worker|infra|tests|docs)/[\w./-]*\w/?)", text)


def test_env_example_is_generated() -> None:
    """infra/env.example is what `falhook settings --as env` prints."""
    assert env_example() == (ROOT / "infra" / "env.example").read_text()


def test_readme_settings_are_generated() -> None:
    """README's table is what `falhook settings --as markdown` prints."""
    begin, end = "<!-- settings: falhook settings --as markdown -->\n", "<!-- /settings -->"
    assert markdown() == README.partition(begin)[2].partition(end)[0]


def test_readme_names_only_make_targets_that_exist() -> None:
    """Every `make …` in README is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set() == set(re.findall(r"(?:`|\$ )make ([a-z]+)", README)) - targets


@pytest.mark.parametrize("package", ["webhook", "worker"])
def test_readme_describes_every_folder(package: str) -> None:
    """README's table of folders has a row for each folder of the receiver and the pipeline."""
    folders = {
        package,
        *(f"{package}/{path.parent.name}" for path in ROOT.glob(f"{package}/*/__init__.py")),
    }
    assert set() == folders - set(re.findall(r"^\| `([\w/]+)/` \|", README, re.MULTILINE))


def test_runbook_names_the_processes() -> None:
    """The runbook has a row for every process of the Procfile."""
    names = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), re.MULTILINE)
    runbook = (ROOT / "infra" / "README.md").read_text()
    assert [] == [name for name in names if f"`{name}`" not in runbook]


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
    expected = {"tests/webhook/test_inbox.py", "tests/fuzz/", "infra/redis.conf", "docs/job.svg"}
    assert expected <= set(paths(README))
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
