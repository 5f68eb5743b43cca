"""Completion: what Tab offers, how bash receives it, and where it is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.factories.world import World
from worker.catalogue.catalogue import Catalogue
from worker.cli.completion.command import SHELLS
from worker.jobs.job import JobState

TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
BASH = shutil.which("bash")


def offered(text: str, **environ: str) -> list[str]:
    """Return what bash gets for a command line up to the cursor."""
    variables = {"_FALHOOK_COMPLETE": "bash_complete", "COMP_TEXT": text, "COMP_BREAKS": "=:"}
    done = subprocess.run(
        [sys.executable, "-m", "worker"],
        cwd=ROOT,
        env={**variables, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "" == done.stderr
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


OFFERS = {
    "falhook wa": ["watch"],
    "falhook submit fal-ai/kling-video/v2.1/ma": [
        "fal-ai/kling-video/v2.1/master/image-to-video",
        TEXT,
    ],
    # None begins so, one contains it.
    "falhook models show v2.1/master/text": [TEXT],
    f"falhook submit {TEXT} asp": ["aspect_ratio="],
    f"falhook submit {TEXT} aspect_ratio=": ["16:9", "9:16", "1:1"],
    # Bash leaves what is before its last break as it is.
    f"falhook submit {TEXT} aspect_ratio=16:": ["9"],
    f"falhook submit {TEXT} aspect_ratio=1:1 asp": [],
    "falhook submit acme/unknown du": [],
    "falhook list --state publ": ["PUBLISHED"],
    "falhook list --state FA": ["FAILED"],
    "falhook submit 'unclosed": [],
}


@pytest.mark.parametrize("text", OFFERS)
def test_offers(text: str) -> None:
    """Commands, endpoints, inputs, values and states are completed, each where it is expected."""
    assert OFFERS[text] == offered(text)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("watch", ["open1", "failed1", "published1"]),
        ("show", ["open1", "failed1", "published1"]),
        ("cancel", ["open1"]),
        ("retry", ["failed1"]),
        ("watch o", ["open1"]),
        ("watch open1", ["open1"]),
        ("watch open1 failed1 ", ["published1"]),
    ],
)
def test_job_ids(world: World, redis_url: str, command: str, expected: list[str]) -> None:
    """Each command is offered the jobs that it can use, without those that are typed already."""
    for name, state in [
        ("published1", JobState.PUBLISHED),
        ("failed1", JobState.FAILED),
        ("open1", JobState.QUEUED),
    ]:
        world.add(name, state=state)
        world.clock.forward(1)
    text = f"falhook {command}" if " " in command else f"falhook {command} "
    assert expected == offered(text, REDIS_URL=redis_url)


@pytest.mark.parametrize("redis_url", ["", "http://nowhere", "redis://127.0.0.1:1/0"])
def test_without_redis_no_job_is_offered(redis_url: str) -> None:
    """Tab prints no error."""
    assert [] == offered("falhook watch ", REDIS_URL=redis_url)


def test_a_broken_catalogue_is_left_out(tmp_path: Path) -> None:
    """Endpoints of the package are offered even if a file of the user's own is invalid."""
    (tmp_path / "own.toml").write_text("models = 7")
    found = offered("falhook models show fal-ai/", FALHOOK_CATALOGUE=str(tmp_path))
    assert [model.endpoint for model in Catalogue.load().search("fal-ai/")] == found


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("falhook wa", ["watch"]),
        (f"falhook submit {TEXT} aspect_ratio=", ["16:9", "9:16", "1:1"]),
    ],
)
def test_the_script_in_bash(tmp_path: Path, line: str, expected: list[str]) -> None:
    """The installed file works in a real bash."""
    program = tmp_path / "falhook"
    program.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m worker "$@"\n')
    program.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "XDG_DATA_HOME": str(tmp_path)}
    command = [str(program), "completion", "bash"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    file = tmp_path / "bash-completion" / "completions" / "falhook"
    assert str(file) in done.stdout
    # `compopt` works only while readline completes.
    script = f"""
        source {file}
        compopt() {{ :; }}
        COMP_LINE='{line}' COMP_POINT=${{#COMP_LINE}}
        COMP_POINT={len(line)}
        _falhook_completion falhook
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    assert BASH is not None
    shown = subprocess.run(
        [BASH, "-c", script], env=environ, stdout=subprocess.PIPE, text=True, check=True
    )
    assert expected == shown.stdout.splitlines()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script(tmp_path: Path, shell: str) -> None:
    """The file is what --print prints; $SHELL names the shell if the command does not."""
    environ = {"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "worker", "completion"]
    printed = subprocess.run(
        [*command, shell, "--print"], cwd=ROOT, env=environ, capture_output=True, check=True
    )
    environ["SHELL"] = f"/bin/{shell}"
    subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=True)
    [file] = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert printed.stdout == file.read_bytes() + b"\n"


def test_an_unknown_shell_is_an_error() -> None:
    """The error names the shells."""
    done = subprocess.run(
        [sys.executable, "-m", "worker", "completion"],
        cwd=ROOT,
        env={"SHELL": "/bin/tcsh"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (2, True) == (done.returncode, "bash|fish|zsh" in done.stderr)
