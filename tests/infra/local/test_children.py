"""A child process of the local stack that is killed says nothing about what it was started for."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

import infra.setup
from infra.local.fal.media import clips
from infra.local.fal.media.clips import Clip, Media, RenderFailed
from infra.local.fal_process import SimulationNotStarted, simulation
from infra.local.redis.binary import RedisNotStarted, find_binary
from infra.local.redis.data_version import ServerVersion
from infra.local.redis.server import RedisServer
from infra.local.redis.supervised import keep_running
from infra.local.supervisor.supervisor import Supervisor
from tests.factories.clips import script
from tests.faults.waiting import until


def killed_times(path: Path, times: int, program: str = "true") -> Path:
    """A program that is killed at its first runs, and then is `program`."""
    count = path.with_suffix(".count")
    body = (
        f'echo >>"{count}"; [ "$(wc -l <"{count}")" -le {times} ] && kill -9 $$\n'
        f'exec "{program}" "$@"'
    )
    return script(path, body)


def version(program: Path) -> object:
    """Ask a server for its version."""
    return ServerVersion.of(program)


def server(program: Path) -> object:
    """Start a server, which tells its version first."""
    body = f'[ "$1" = --version ] && exec "{find_binary()}" --version\nkill -9 $$'
    return RedisServer.start(program.parent / "data", binary=script(program, body))


@pytest.mark.parametrize("start", [version, server])
def test_a_killed_server_is_called_killed(tmp_path: Path, start: Callable[[Path], object]) -> None:
    """The error says so, and not that the program is no server."""
    with pytest.raises(RedisNotStarted, match=r"was killed by SIGKILL") as refused:
        start(killed_times(tmp_path / "server", 99))
    assert "neither" not in str(refused.value)


def test_a_version_is_asked_again(tmp_path: Path) -> None:
    """One run that is killed does not count."""
    program = killed_times(tmp_path / "server", 1, str(find_binary()))
    assert "Valkey" == ServerVersion.of(program).product


def test_a_server_that_is_killed_while_it_restarts(tmp_path: Path) -> None:
    """It is started again until it runs, and each failure is said."""
    directory, lines = tmp_path / "data", list[bytes]()
    patient = Retry(ConstantBackoff(0.05), 400, supported_errors=(redis.ConnectionError,))
    program = tmp_path / "server"
    script(program, f'exec "{find_binary()}" "$@"')
    with (
        RedisServer.start(directory, binary=program) as running,
        redis.Redis.from_url(running.url, retry=patient) as client,
    ):
        client.set("paid", "once")
        killed_times(program, 1, str(find_binary()))
        with keep_running(running, lambda _, line: lines.append(line)):
            running.kill()
            assert b"once" == client.get("paid")
    [line] = lines
    assert b"was killed by SIGKILL" in line


def test_a_killed_simulation_is_called_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wrote nothing, so the error says how it ended."""
    monkeypatch.setattr(sys, "executable", str(killed_times(tmp_path / "python", 99)))
    with (
        pytest.raises(SimulationNotStarted, match=r"it was killed by SIG(KILL|PIPE)"),
        simulation(tmp_path / "fal", lambda _name, _line: None),
    ):
        pass


@pytest.mark.parametrize(("times", "renders"), [(1, True), (99, False)])
def test_a_killed_render_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, renders: bool
) -> None:
    """A clip is rendered although ffmpeg was killed once; if it always is, the error says so."""
    package, bundled = tmp_path / "imageio_ffmpeg", tmp_path / "imageio_ffmpeg" / "binaries"
    bundled.mkdir(parents=True)
    program = killed_times(tmp_path / "ffmpeg", times, clips.program())
    (bundled / "ffmpeg-linux").symlink_to(program)
    monkeypatch.setattr(imageio_ffmpeg, "__file__", str(package / "__init__.py"))
    media = Media(tmp_path / "cache")
    if renders:
        assert asyncio.run(media.video(Clip(seconds=1))).stat().st_size > 0
    else:
        with pytest.raises(RenderFailed, match=r"code -9: it wrote no message"):
            asyncio.run(media.video(Clip(seconds=1)))


def test_a_killed_pip_is_not_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is passed on, with a sentence."""
    monkeypatch.setattr(sys, "executable", str(killed_times(tmp_path / "python", 99)))
    assert -9 == infra.setup.main()
    assert "pip ended with exit code -9" in capsys.readouterr().err


def test_a_machine_without_room_for_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor starts the process once there is room, and says why it is late."""
    lines: list[bytes] = []
    supervisor = Supervisor(
        processes={"sleeper": "sleep 60"},
        environ={"PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        output=lambda _name, line: lines.append(line),
    )
    launch, failures = supervisor._launcher.launch, [BlockingIOError(11, "no more processes")]

    def crowded(*args: object, **kwargs: object) -> object:
        if failures:
            raise failures.pop()
        return launch(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(supervisor._launcher, "launch", crowded)
    with supervisor:
        supervisor.wait_running("sleeper")
    until(lambda: bool(lines), "the delay is said", 5)
    assert b"sleeper cannot be started yet: no more processes.\n" == lines[0]
