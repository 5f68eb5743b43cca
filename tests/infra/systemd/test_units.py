"""The units of systemd agree with the Procfile and the longest steps, and systemd accepts them."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import ROOT
from tests.factories.deployments import commands, longest_steps
from worker.liveness.beat_file import MOST_SILENCE

FOLDER = ROOT / "infra" / "systemd"
PROGRAMS = "/opt/falhook/bin/"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


def value(name: str, key: str) -> str:
    """Return the value of a key in the unit of a process."""
    text = (FOLDER / f"falhook-{name}.service").read_text()
    [found] = re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)
    return str(found)


def test_every_process_has_a_unit() -> None:
    """There is one for each line of the Procfile, and no other."""
    assert {f"falhook-{name}" for name in commands()} == {
        path.stem for path in FOLDER.glob("*.service")
    }


@pytest.mark.parametrize("name", commands())
def test_a_unit_runs_the_command(name: str) -> None:
    """It is the command of the Procfile, with the program's whole path; %% is systemd's %."""
    command = value(name, "ExecStart").replace("%%", "%")
    assert commands()[name] == shlex.split(command.removeprefix(PROGRAMS))


@pytest.mark.parametrize("name", commands())
def test_a_unit_ends_its_step(name: str) -> None:
    """It is killed only after the longest that it may take for what it has begun."""
    assert longest_steps()[name] < int(value(name, "TimeoutStopSec"))


@pytest.mark.parametrize("name", sorted(commands().keys() - {"web", "api", "metrics"}))
def test_a_worker_is_watched(name: str) -> None:
    """systemd ends it once its beats have stayed away for longer than one may be late."""
    assert MOST_SILENCE < int(value(name, "WatchdogSec"))
    assert ("main", "SIGTERM") == (value(name, "NotifyAccess"), value(name, "WatchdogSignal"))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units in a folder of systemd's, with a program that this machine has."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "system"))
    for path in folder.glob("*.service"):
        path.write_text(re.sub(rf"{PROGRAMS}\w+", "/bin/true", path.read_text()))
    return folder


@needs_systemd
def test_systemd_accepts_them(installed: Path) -> None:
    """`systemd-analyze verify` has nothing to say."""
    units = [str(path) for path in installed.glob("falhook*.*") if path.is_file()]
    done = _analyze(installed, "verify", "--man=no", *units)
    assert (0, "") == (done.returncode, done.stderr)


@needs_systemd
@pytest.mark.parametrize("name", commands())
def test_they_are_hardened(installed: Path, name: str) -> None:
    """`systemd-analyze security` rates each below 2 of 10, where 10 is unprotected."""
    unit = str(installed / f"falhook-{name}.service")
    done = _analyze(installed, "security", "--offline=true", "--threshold=20", unit)
    assert 0 == done.returncode, done.stdout


def _analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_COLORS": "0", "PATH": "/usr/bin:/bin"}
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
