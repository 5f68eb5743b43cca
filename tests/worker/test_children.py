"""A child process that is killed says nothing about what it was started for."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories.clips import script
from worker.errors import Transient
from worker.probe import ProbeInterrupted
from worker.provenance.certificate import Certificate
from worker.provenance.development_certificate import CHAIN, make_chain
from worker.provenance.signing_command import SigningCommand
from worker.storage import Storage, require_usable
from worker.transcode.ffmpeg import Ffmpeg, Isolation, ResourceLimits, discovery, limits
from worker.transcode.ffmpeg.isolation import works
from worker.transcode.ffmpeg.sandbox import run

Kill = Callable[[Path, pytest.MonkeyPatch], object]


def killed(directory: Path, name: str) -> Path:
    """A program that is killed whenever it is run."""
    return script(directory / name, "kill -9 $$")


def storage_check(directory: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Start the process that tries a storage."""
    monkeypatch.setattr(sys, "executable", str(killed(directory, "python")))
    return require_usable(Storage.open(str(directory / "storage")))


def listing(directory: Path, _: pytest.MonkeyPatch) -> object:
    """Ask ffmpeg for its encoders."""
    return discovery.missing(killed(directory, "ffmpeg"), "encoders", ["aac"])


def isolation(directory: Path, _: pytest.MonkeyPatch) -> object:
    """Try ffmpeg in isolation."""
    return works(Isolation.NONE, killed(directory, "ffmpeg"))


def setpriv(directory: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Try setpriv."""
    killed(directory, "setpriv")
    monkeypatch.setattr(limits, "PATH", str(directory))
    return limits.dies_with_us.__wrapped__()


def ffmpeg(directory: Path, _: pytest.MonkeyPatch) -> object:
    """Run ffmpeg on a clip."""
    source = directory / "clip.mp4"
    source.touch()
    program = Ffmpeg(path=killed(directory, "ffmpeg"), by_descriptor=True)
    return program.run(["out.mp4"], source=source, cwd=directory, duration=None)


def signing(directory: Path, _: pytest.MonkeyPatch) -> object:
    """Sign with a command."""
    pytest.importorskip("c2pa")
    leaf = Certificate.parse(make_chain(directory / "chain")[CHAIN].read_text())
    return SigningCommand.parse(str(killed(directory, "sign")), leaf)(b"bytes")


# By the file that starts the child: how it is started, and what its end raises.
CHILDREN: dict[str, tuple[Kill, type[Exception]]] = {
    "worker/storage/health.py": (storage_check, ProbeInterrupted),
    "worker/transcode/ffmpeg/discovery.py": (listing, ProbeInterrupted),
    "worker/transcode/ffmpeg/isolation.py": (isolation, ProbeInterrupted),
    "worker/transcode/ffmpeg/limits.py": (setpriv, ProbeInterrupted),
    "worker/transcode/ffmpeg/ffmpeg.py": (ffmpeg, Transient),
    "worker/provenance/signing_command.py": (signing, Transient),
}


@pytest.mark.parametrize("file", CHILDREN)
def test_a_killed_child_is_tried_again(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is that of an interruption, never a refusal, and says what happened."""
    start, error = CHILDREN[file]
    with pytest.raises(error, match=r"killed|signal 9|exit code -9"):
        start(tmp_path, monkeypatch)


def test_the_default_ffmpeg_is_found_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is killed, as on a machine without memory, is not taken for one that is missing."""
    (tmp_path / "binaries").mkdir()
    program = killed(tmp_path, "binaries/ffmpeg-linux")
    monkeypatch.setattr("imageio_ffmpeg.__file__", str(tmp_path / "__init__.py"))
    assert program == discovery.locate(None)


@pytest.mark.parametrize("number", [1, 2, 9, 13, 15])
def test_a_signal_below_a_wrapper(tmp_path: Path, number: int) -> None:
    """A wrapper's exit code for a signal is that signal, not a verdict about the file."""
    wrapper = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
    program = script(tmp_path / "program", f"trap - {number}; kill -{number} $$")
    result = run([str(program)], cwd=tmp_path, limits=ResourceLimits(), wrapper=wrapper)
    assert -number == result.code
