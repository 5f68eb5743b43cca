"""`falhook sim`: the simulated fal as a command of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from worker.cli import sim
from worker.cli.errors import CliError


def test_it_runs_in_any_directory(tmp_path: Path) -> None:
    """Its first line has the environment of a client, also where another `infra` lies."""
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__init__.py").write_text("raise RuntimeError")
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-P", "-m", "worker", "sim", "--app", "acme/dolly"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.terminate()
        process.wait(timeout=30)
    assert {"FAL_KEY", "FAL_QUEUE_RUN_HOST", "SSL_CERT_FILE"} <= set(first["environment"])


def test_its_help_lists_its_options() -> None:
    """Every option is passed on."""
    command = [sys.executable, "-m", "worker", "sim", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--render-seconds" in done.stdout


def test_without_its_files_a_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the place and the correction."""
    monkeypatch.setattr(sim, "ROOT", tmp_path)
    with pytest.raises(CliError, match="from a checkout"):
        sim.sim.main([], standalone_mode=False)
