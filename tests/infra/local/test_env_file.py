"""The file by which other shells find a running stack."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from infra.local.env_file import env_file

SETTINGS = {"FAL_KEY": "id:secret", "FALHOOK_STORAGE_URL": "file:///a b/it's", "EMPTY": ""}


def test_a_shell_takes_every_setting_over(tmp_path: Path) -> None:
    """Sourced, the file exports each value to the letter."""
    path = tmp_path / "env"
    with env_file(path, SETTINGS):
        command = f". {path}; " + "; ".join(f'printf "%s\\n" "${name}"' for name in SETTINGS)
        told = subprocess.run(
            ["/bin/sh", "-c", command], check=True, capture_output=True, text=True
        )
    assert list(SETTINGS.values()) == told.stdout.splitlines()


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    """It holds secrets: the owner alone may read it, also where an older one was open."""
    path = tmp_path / "env"
    path.touch(mode=0o644)
    with env_file(path, SETTINGS):
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_it_goes_with_the_stack(tmp_path: Path) -> None:
    """After Ctrl-C nothing of it is left."""
    with pytest.raises(KeyboardInterrupt), env_file(tmp_path / "env", SETTINGS):
        raise KeyboardInterrupt
    assert [] == list(tmp_path.iterdir())


def test_that_of_another_stack_stays(tmp_path: Path) -> None:
    """A second stack in the same directory keeps its own file when the first one ends."""
    path = tmp_path / "env"
    with env_file(path, SETTINGS):
        path.write_text("export FAL_KEY=another\n")
    assert "export FAL_KEY=another\n" == path.read_text()
