"""The documents say what the program does: settings, verbs, processes."""

import re
import shutil
import subprocess

import pytest

from tests import ROOT
from worker.cli.settings import env_example, markdown

README = (ROOT / "README.md").read_text()
DOCUMENTS = ("README.md", "DECISIONS.md", "CHANGELOG.md", "infra/README.md")


def paths(text: str) -> list[str]:
    """The files and folders of ours that a text names."""
    return re.findall(r"(?<![\w/.:-])((?:webhook|worker|infra|tests)/[\w./-]*\w/?)", text)


def test_env_example_is_generated() -> None:
    """infra/env.example is what `falhook settings --as env` prints."""
    assert env_example() == (ROOT / "infra" / "env.example").read_text()


def test_readme_settings_are_generated() -> None:
    """README's table is what `falhook settings --as markdown` prints."""
    begin, end = "<!-- settings: falhook settings --as markdown -->\n", "<!-- /settings -->"
    assert markdown() == README.partition(begin)[2].partition(end)[0]


def test_readme_names_only_verbs_that_exist() -> None:
    """Every `make …` in README is a verb of the Makefile."""
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set() == set(re.findall(r"(?:`|\$ )make ([a-z]+)", README)) - verbs


def test_runbook_names_the_processes() -> None:
    """The runbook has a row for every process of the Procfile."""
    names = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), re.MULTILINE)
    runbook = (ROOT / "infra" / "README.md").read_text()
    assert [] == [name for name in names if f"`{name}`" not in runbook]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_tests_that_documents_name_exist(document: str) -> None:
    """Every test that holds a decision is there, by file and name."""
    missing = [
        f"{path}::{name}"
        for path, name in re.findall(r"(tests/[\w/]+\.py)::(\w+)", (ROOT / document).read_text())
        if not (ROOT / path).is_file() or f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert [] == missing


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_paths_that_documents_name_exist(document: str) -> None:
    """Every file and folder of ours that a document names is there."""
    named = paths((ROOT / document).read_text())
    assert [] == [path for path in named if not (ROOT / path).exists()]


def test_paths_are_found() -> None:
    """The search above finds paths: without `::`, with it, and of folders."""
    assert {"tests/webhook/test_inbox.py", "tests/fuzz/", "infra/redis.conf"} <= set(paths(README))


def test_make_lock_says_what_it_needs() -> None:
    """Without uv `make lock` names it and where it is to be had, and pins nothing."""
    lock = ROOT / "requirements.lock"
    before = lock.read_bytes()
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, "lock"], cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert (2, "needs uv", before) == (
        done.returncode,
        " ".join(done.stderr.split()[2:4]).rstrip(","),
        lock.read_bytes(),
    )


def test_no_file_names_a_registry() -> None:
    """No file, the lock above all, names the host of a package registry."""
    hosts = [
        ".".join(name) for name in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))
    ]
    folders = [ROOT / name for name in ("webhook", "worker", "infra", "tests", ".ci")]
    paths = [path for folder in folders for path in folder.rglob("*")] + list(ROOT.glob("*.*"))
    found = [
        str(path)
        for path in paths
        if path.is_file() and path.suffix != ".pyc"
        if any(host.encode() in path.read_bytes() for host in hosts)
    ]
    assert [] == found
