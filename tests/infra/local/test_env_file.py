"""The settings file for other shells."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.env_file import env_file

SETTINGS = {"FAL_KEY": "id:secret", "FALHOOK_STORAGE_URL": "file:///a b/it's", "EMPTY": ""}


def test_a_shell_that_sources_the_file_gets_every_setting(tmp_path: Path) -> None:
    """The sourced file exports each value unchanged."""
    path = tmp_path / "env"
    with env_file(path, SETTINGS):
        command = f". {path}; " + "; ".join(f'printf "%s\\n" "${name}"' for name in SETTINGS)
        shell = subprocess.run(
            ["/bin/sh", "-c", command], check=True, capture_output=True, text=True
        )
    assert list(SETTINGS.values()) == shell.stdout.splitlines()


def test_a_shell_that_sources_the_file_finds_falhook(tmp_path: Path) -> None:
    """It is found after the shell's own programs, which stay what they were."""
    path = tmp_path / "env"
    with env_file(path, SETTINGS):
        command = ["/bin/sh", "-c", f'. {path}; echo "$PATH"']
        environ = {"PATH": "/usr/bin:/bin"}
        shell = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    assert f"/usr/bin:/bin:{Path(sys.executable).parent}\n" == shell.stdout


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    """The file holds secrets, so it replaces an existing file that others can read."""
    path = tmp_path / "env"
    path.touch(mode=0o644)
    with env_file(path, SETTINGS):
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_it_is_removed_with_the_stack(tmp_path: Path) -> None:
    """After Ctrl-C the file is gone."""
    with pytest.raises(KeyboardInterrupt), env_file(tmp_path / "env", SETTINGS):
        raise KeyboardInterrupt
    assert [] == list(tmp_path.iterdir())


def test_the_file_of_another_stack_is_kept(tmp_path: Path) -> None:
    """A second stack in the same directory keeps its own file when the first one ends."""
    path = tmp_path / "env"
    with env_file(path, SETTINGS):
        path.write_text("export FAL_KEY=another\n")
    assert "export FAL_KEY=another\n" == path.read_text()
