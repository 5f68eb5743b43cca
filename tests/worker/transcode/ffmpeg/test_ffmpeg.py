"""Ffmpeg reads one file, respects its limits, and leaves no process behind."""

import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.clips import clip, ffmpeg_program, script, tags
from tests.factories.mp4_boxes import HOSTILE
from worker.errors import Failure, Permanent, Transient
from worker.transcode.ffmpeg import Advance, Ffmpeg, FfmpegUnusable, Isolation, ResourceLimits, Work
from worker.transcode.ffmpeg.isolation import works, wrapper
from worker.transcode.ffmpeg.limits import dies_with_us
from worker.transcode.ffmpeg.progress import ProgressParser
from worker.transcode.ffmpeg.sandbox import run
from worker.transcode.ffmpeg.watchdog import KEPT
from worker.transcode.profiles import Profile
from worker.transcode.transcoder import transcode

COPY = ("-map", "0:V:0", "-c", "copy", "-f", "mp4", "copy.mp4")
ENCODE = ("-map", "0:V:0", "-c:v", "libx264", "-preset", "ultrafast", "-f", "mp4", "copy.mp4")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="a limit that only Linux has")


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg."""
    return Ffmpeg.find(None)


def fake(tmp_path: Path, body: str, **limits: float) -> Ffmpeg:
    """A program in place of ffmpeg, with these limits."""
    path = script(tmp_path / "fake", body)
    return Ffmpeg(path=path, by_descriptor=True, limits=replace(ResourceLimits(), **limits))  # type: ignore[arg-type]


def collect(lines: list[str]) -> Callable[[str], bool]:
    """A watch function that keeps every line, and counts each as progress."""

    def watch(line: str) -> bool:
        lines.append(line)
        return True

    return watch


class Alive:
    """A named pipe that stays open while any process that inherited its writing end lives."""

    def __init__(self, directory: Path) -> None:
        os.mkfifo(directory / "alive")
        self._end = os.open(directory / "alive", os.O_RDONLY | os.O_NONBLOCK)

    def read(self) -> bytes:
        """Return the next bytes; wait for them, or for the end of all writers."""
        assert select.select([self._end], [], [], 20)[0]
        return os.read(self._end, 100)


def test_find_detects_capabilities(real: Ffmpeg) -> None:
    """The bundled program has the fd protocol; a configured path is used unchanged."""
    assert real.by_descriptor
    assert real == Ffmpeg.find(ffmpeg_program())


@pytest.mark.parametrize(
    ("body", "words"),
    [("exit 1", "does not run"), ("echo ' A....D aac  AAC'", "no encoder libx264, mjpeg")],
)
def test_find_refuses_an_unfit_program(body: str, words: str, tmp_path: Path) -> None:
    """A program that is not ffmpeg, or cannot encode, is refused with the correction."""
    with pytest.raises(FfmpegUnusable, match=words) as error:
        Ffmpeg.find(str(script(tmp_path / "fake", body)))
    assert "FALHOOK_FFMPEG" in str(error.value)


def test_find_refuses_a_missing_program(tmp_path: Path) -> None:
    """The error for a missing program names its setting."""
    with pytest.raises(FfmpegUnusable, match=r"FALHOOK_FFMPEG is .*missing"):
        Ffmpeg.find(str(tmp_path / "missing"))


def test_missing_fd_protocol_is_detected(tmp_path: Path) -> None:
    """A program without the fd protocol, such as Debian 12's, opens the file by name."""
    listing = "echo ' V....D libx264  x'; echo ' A....D aac  x'; echo ' VFS..D mjpeg  x'"
    old = Ffmpeg.find(str(script(tmp_path / "fake", f"{listing}; echo '  file'; echo '  fdx'")))
    assert not old.by_descriptor


@pytest.mark.parametrize("by_descriptor", [True, False])
@pytest.mark.parametrize("name", ["high", "moov_last"])
def test_runs(name: str, by_descriptor: bool, real: Ffmpeg, tmp_path: Path) -> None:
    """A source is read by descriptor or by name, wherever its header is."""
    program = replace(real, by_descriptor=by_descriptor)
    program.run(COPY, source=clip(name), cwd=tmp_path, duration=2.0)
    assert 10_000 < (tmp_path / "copy.mp4").stat().st_size


@pytest.mark.parametrize("by_descriptor", [True, False])
@pytest.mark.parametrize("name", ["hls", "dash", "concat", "sdp", "html", "empty"])
def test_no_other_file_is_opened(
    name: str, by_descriptor: bool, real: Ffmpeg, tmp_path: Path
) -> None:
    """If preflight accepted a list of other files, ffmpeg itself would refuse it."""
    (tmp_path / "other.mp4").write_bytes(clip("high").read_bytes())
    source = tmp_path / "source.m3u8"
    source.write_bytes(HOSTILE[name][0]())
    with pytest.raises(Permanent, match="media_invalid"):
        replace(real, by_descriptor=by_descriptor).run(
            COPY, source=source, cwd=tmp_path, duration=None
        )
    assert not (tmp_path / "copy.mp4").exists()


def test_the_list_would_have_been_followed(tmp_path: Path) -> None:
    """Without the guard, ffmpeg reads the other file in the same list."""
    (tmp_path / "other.mp4").write_bytes(clip("high").read_bytes())
    (tmp_path / "source.mp4").write_bytes(HOSTILE["concat"][0]())
    command = [ffmpeg_program(), "-loglevel", "error", "-i", "source.mp4", *COPY]
    subprocess.run(command, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    assert 10_000 < (tmp_path / "copy.mp4").stat().st_size


def test_a_broken_stream_is_invalid(real: Ffmpeg, tmp_path: Path) -> None:
    """Good headers over media data that does not decode are refused, without partial outputs."""
    data = bytearray(clip("high").read_bytes())
    begin = data.find(b"mdat") + 4
    data[begin:] = b"\xff" * (len(data) - begin)
    (tmp_path / "source").write_bytes(data)
    with pytest.raises(Permanent) as error:
        real.run(ENCODE, source=tmp_path / "source", cwd=tmp_path, duration=2.0)
    assert "media_invalid" == error.value.reason
    assert str(tmp_path) not in error.value.sentence


@linux_only
def test_too_little_memory_is_transient(real: Ffmpeg, tmp_path: Path) -> None:
    """A memory limit that ffmpeg reaches may be raised, so the failure is transient."""
    poor = replace(real, limits=ResourceLimits(memory=90 << 20, wall=20.0))
    with pytest.raises(Transient):
        poor.run(ENCODE, source=clip("high"), cwd=tmp_path, duration=2.0)


@pytest.mark.parametrize(
    ("wall", "stall", "failure", "words"),
    [
        (0.4, 9, Permanent, r"0\.4 s .*falhook retry"),
        (9, 0.4, Transient, "no progress for 0.4 s"),
    ],
)
def test_a_hanging_program_is_killed_with_its_group(
    wall: float, stall: float, failure: type[Failure], words: str, tmp_path: Path
) -> None:
    """A program that ignores SIGTERM is killed at the limit, with its children.

    A stalled run may succeed later; one that used all its time would use it again."""
    alive = Alive(tmp_path)
    body = "trap '' TERM INT HUP; exec 3>alive; printf x >&3; sleep 600 & sleep 600; wait"
    hanging = fake(tmp_path, body, wall=wall, stall=stall)
    with pytest.raises(failure, match=words) as ended:
        hanging.run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert "media_timeout" == ended.value.reason
    assert b"x" == alive.read()
    assert b"" == alive.read()


def test_growing_files_are_progress(tmp_path: Path) -> None:
    """A silent program may continue while its files grow, and no longer."""
    writing = "for turn in $(seq 15); do echo x >> written; sleep 0.1; done"
    ended = run(
        [str(script(tmp_path / "fake", writing))], cwd=tmp_path, limits=ResourceLimits(stall=0.6)
    )
    assert (None, 0) == (ended.cut, ended.code)
    hanging = f"{writing}; exec sleep 600"
    ended = run(
        [str(script(tmp_path / "fake", hanging))], cwd=tmp_path, limits=ResourceLimits(stall=0.6)
    )
    assert "stall" == ended.cut


def test_closed_pipes_do_not_hide_a_hanging_program(tmp_path: Path) -> None:
    """A program that closes its output and sleeps is ended by the same deadline."""
    hanging = fake(tmp_path, "exec >&- 2>&-; exec sleep 600", wall=0.4)
    with pytest.raises(Permanent, match="media_timeout"):
        hanging.run((), source=clip("high"), cwd=tmp_path, duration=2.0)


def test_an_exception_ends_the_program(tmp_path: Path) -> None:
    """An exception in the waiting process, such as Ctrl-C or a time limit, ends the program."""
    alive = Alive(tmp_path)
    body = "exec 3>alive; printf x >&3; echo out_time_us=1; sleep 600"

    def interrupt(_: Advance) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fake(tmp_path, body).run(
            (), source=clip("high"), cwd=tmp_path, duration=2.0, progress=interrupt
        )
    assert b"x" == alive.read()
    assert b"" == alive.read()


@linux_only
@pytest.mark.skipif(not dies_with_us(), reason="no setpriv with --pdeathsig")
def test_the_program_dies_with_its_worker(tmp_path: Path) -> None:
    """A worker killed by SIGKILL leaves no ffmpeg behind."""
    alive = Alive(tmp_path)
    path = script(tmp_path / "fake", "exec 3>alive; printf x >&3; exec sleep 600")
    code = f"""
from pathlib import Path
from worker.transcode.ffmpeg import Ffmpeg
here = Path({str(tmp_path)!r})
program = Ffmpeg(path=here / {path.name!r}, by_descriptor=True)
program.run((), source=Path({str(clip("high"))!r}), cwd=here, duration=2.0)
"""
    with subprocess.Popen([sys.executable, "-c", code]) as worker:
        assert b"x" == alive.read()
        worker.send_signal(signal.SIGKILL)
    assert b"" == alive.read()


def test_a_flood_of_output_is_bounded(tmp_path: Path) -> None:
    """The last 8 kB of endless stderr are kept; it does not count as progress."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flood = script(tmp_path / "flood", "exec yes words-without-end >&2")
    ended = run([str(flood)], cwd=tmp_path, limits=ResourceLimits(stall=0.5))
    assert ("stall", -signal.SIGKILL) == (ended.cut, ended.code)
    assert 0 < len(ended.stderr) <= KEPT
    assert 20 << 10 > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def test_an_endless_line_is_bounded(tmp_path: Path) -> None:
    """Standard output without a line break is dropped, and does not count as progress."""
    seen: list[str] = []
    flood = script(tmp_path / "flood", "exec tr '\\0' x < /dev/zero")
    ended = run(
        [str(flood)],
        cwd=tmp_path,
        limits=ResourceLimits(stall=0.5),
        watch=collect(seen),
    )
    assert "stall" == ended.cut
    assert [] == seen


@linux_only
def test_limits_are_hard_and_soft(tmp_path: Path) -> None:
    """The program runs with exactly the given limits, and cannot raise them."""
    kinds = {"t": 7, "f": 4096, "n": 50, "v": 500_000, "c": 0}
    commands = "; ".join(f"echo {kind} $(ulimit -S{kind}) $(ulimit -H{kind})" for kind in kinds)
    lines: list[str] = []
    run(
        [str(script(tmp_path / "ask", f"{commands}; echo nice $(nice)"))],
        cwd=tmp_path,
        limits=ResourceLimits(cpu=7, file_size=2 << 20, open_files=50, memory=512_000_000),
        watch=collect(lines),
    )
    assert [f"{kind} {value} {value}" for kind, value in kinds.items()] == lines[:-1]
    assert f"nice {os.nice(0) + 10}" == lines[-1]


def test_no_environment_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program sees nothing of the worker's environment, which contains keys."""
    monkeypatch.setenv("FAL_KEY", "secret")
    lines: list[str] = []
    run(
        ["/usr/bin/env"],
        cwd=tmp_path,
        limits=ResourceLimits(),
        watch=collect(lines),
    )
    names = {line.partition("=")[0] for line in lines}
    assert {"LANG", "PATH", "MALLOC_ARENA_MAX"} == names - {"PWD", "SHLVL", "_", "OLDPWD"}


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        ("exec dd if=/dev/zero of=big bs=65536 count=100", {"file_size": 1 << 20}),
        ("kill -SEGV $$", {}),
        ("exit 244", {}),
        ("echo 'Cannot allocate memory' >&2; exit 1", {}),
    ],
)
def test_crashes_and_limits_are_transient(
    body: str, limits: dict[str, float], tmp_path: Path
) -> None:
    """Failures that may not recur elsewhere or later are not blamed on the file."""
    with pytest.raises(Transient) as ended:
        fake(tmp_path, body, **limits).run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert "media_crashed" == ended.value.reason


def test_used_up_processor_time_is_permanent(tmp_path: Path) -> None:
    """A clip that exceeds its ample processor time would exceed it every time."""
    busy = fake(tmp_path, "while :; do :; done", cpu=1)
    with pytest.raises(Permanent, match=r"processor time \(1 s .*falhook retry") as ended:
        busy.run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert "media_timeout" == ended.value.reason


def test_processor_time_of_an_isolated_program(isolated: Ffmpeg, tmp_path: Path) -> None:
    """The same applies if the program is a child of its wrapper."""
    path = script(tmp_path / "fake", "while :; do :; done")
    with pytest.raises(Permanent, match="media_timeout"):
        replace(isolated, path=path, limits=ResourceLimits(cpu=1)).run(
            (), source=clip("high"), cwd=tmp_path, duration=2.0
        )


def work_of(seconds: float, fps: int, size: tuple[int, int], outputs: int) -> Work:
    """The work of this many outputs of a clip."""
    frames = round(seconds * fps)
    return Work(frames=frames, pixels=size[0] * size[1], outputs=outputs, size=100 << 20)


def test_limits_of_a_small_clip() -> None:
    """The default limits suffice for the clips of most models."""
    assert ResourceLimits() == ResourceLimits().fitted(work_of(10.0, 24, (1920, 1080), 4))


@pytest.mark.parametrize(
    ("seconds", "fps", "size", "outputs", "cpu"),
    [
        (599.0, 24, (1920, 1080), 3, 810),  # web+720p+360p: 0.0272 s for a million pixels
        (60.0, 24, (3840, 2160), 9, 493),  # in HDR, every output: 0.0412
        (600.0, 24, (3840, 2160), 9, 2520),  # every output: 0.0211
    ],
)
def test_limits_grow_with_the_work(
    seconds: float, fps: int, size: tuple[int, int], outputs: int, cpu: float
) -> None:
    """Clips within the preflight's bounds have at least twice the measured time."""
    fitted = ResourceLimits().fitted(work_of(seconds, fps, size, outputs))
    assert fitted.cpu >= 2 * cpu
    assert fitted.wall >= 2 * cpu


@pytest.mark.parametrize(("threads", "taken"), [(1, 1632), (4, 2886)])
def test_memory_grows_with_frames_outputs_and_threads(threads: int, taken: int) -> None:
    """Every output of 4K has 1.5 times the measured address space (MB)."""
    work = replace(work_of(5.0, 24, (3840, 2160), 9), threads=threads)
    fitted = ResourceLimits().fitted(work)
    assert fitted.memory > 1.5 * (taken << 20)
    assert 4 * ResourceLimits().stall == pytest.approx(fitted.stall)


def test_limits_have_upper_bounds() -> None:
    """Limits have an upper bound, whatever a file claims."""
    claimed = Work(frames=1 << 20, pixels=4096 * 2304, outputs=99, size=1 << 40, threads=64)
    fitted = ResourceLimits().fitted(claimed)
    assert (7200, 7200) == (fitted.cpu, fitted.wall)
    assert (6 << 30, 8 << 30) == (fitted.memory, fitted.file_size)


def test_a_large_source_may_be_copied() -> None:
    """A copy may be as large as its source."""
    work = replace(work_of(10.0, 24, (1920, 1080), 1), size=3 << 30)
    assert ResourceLimits().fitted(work).file_size >= 3 << 30


@linux_only
def test_4k_has_larger_limits(real: Ffmpeg, tmp_path: Path) -> None:
    """A delivery of large frames has larger limits than a small one."""
    poor = replace(real, limits=ResourceLimits(memory=512 << 20, cpu=1))
    result = transcode(
        clip("uhd"), tmp_path, tags(), ffmpeg=poor, profile=Profile.parse("web+360p")
    )
    assert 1080 == result.probe.lines
    assert result.usage["ffmpeg"].cpu > 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("exit 183", "media_invalid"),
        ("exit 176", "media_unsupported"),
        ("echo 'Decoder (codec none) not found' >&2; exit 8", "media_unsupported"),
    ],
)
def test_refusals_are_permanent(body: str, reason: str, tmp_path: Path) -> None:
    """A file that ffmpeg refuses is not tried again, and its messages are not passed on."""
    with pytest.raises(Permanent) as ended:
        fake(tmp_path, f"echo secret >&2; {body}").run(
            (), source=clip("high"), cwd=tmp_path, duration=2.0
        )
    assert reason == ended.value.reason
    assert "secret" not in ended.value.sentence


def test_progress_is_reported_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of many lines in half a second is reported; each change counts as progress."""
    clock = iter(range(100, 1000))
    monkeypatch.setattr("worker.transcode.ffmpeg.progress.time.monotonic", lambda: next(clock) / 10)
    advances: list[Advance] = []
    progress = ProgressParser(10.0, advances.append)
    moves = [progress.line(f"out_time_us={step * 100_000}") for step in range(100)]
    assert all(moves)
    assert [0.0, 0.05, 0.1] == pytest.approx([advance.fraction for advance in advances[:3]])
    assert 20 == len(advances)
    assert not progress.line("out_time_us=9900000")
    assert not progress.line("speed=3x")


def test_progress_never_decreases(monkeypatch: pytest.MonkeyPatch) -> None:
    """An output that falls behind the others is progress, but does not reduce the fraction."""
    clock = iter(range(100, 1000))
    monkeypatch.setattr(
        "worker.transcode.ffmpeg.progress.time.monotonic", lambda: float(next(clock))
    )
    advances: list[Advance] = []
    progress = ProgressParser(10.0, advances.append)
    moves = [progress.line(f"out_time_us={step}00000") for step in (20, 60, 50, 70)]
    assert all(moves)
    assert [0.2, 0.6, 0.6, 0.7] == pytest.approx([advance.fraction for advance in advances])


def test_progress_has_frames_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a quarter is done after 6 s, 18 s are left."""
    clock = iter([100.0, 106.0])
    monkeypatch.setattr("worker.transcode.ffmpeg.progress.time.monotonic", lambda: next(clock))
    advances: list[Advance] = []
    progress = ProgressParser(10.0, advances.append)
    lines = ("frame=60", "fps=10.00", "out_time_us=N/A", "out_time_us=2500000")
    assert [True, False, True, True] == [progress.line(line) for line in lines]
    assert [Advance(fraction=0.25, frames=60, fps=10.0, left=18.0)] == advances


ISOLATIONS = [Isolation.BUBBLEWRAP, Isolation.NAMESPACES]


@pytest.fixture(params=ISOLATIONS)
def isolated(request: pytest.FixtureRequest, real: Ffmpeg) -> Ffmpeg:
    """The default ffmpeg with each isolation that works on this machine."""
    if not works(request.param, real.path):
        pytest.skip(f"{request.param} is not to be had here")
    return replace(real, isolation=request.param)


def output_of(program: Ffmpeg, tmp_path: Path, body: str) -> list[str]:
    """What a script in place of ffmpeg prints in that isolation."""
    path = script(tmp_path / "ask", body)
    lines: list[str] = []
    run(
        [str(path)],
        cwd=tmp_path,
        limits=ResourceLimits(),
        watch=collect(lines),
        wrapper=wrapper(program.isolation, path, tmp_path, ()),
    )
    return lines


@pytest.mark.parametrize("by_descriptor", [True, False])
def test_runs_in_each_isolation(by_descriptor: bool, isolated: Ffmpeg, tmp_path: Path) -> None:
    """ffmpeg reads, writes and reports its usage in every isolation."""
    program = replace(isolated, by_descriptor=by_descriptor)
    used = program.run(ENCODE, source=clip("high"), cwd=tmp_path, duration=2.0)
    assert 10_000 < (tmp_path / "copy.mp4").stat().st_size
    assert used.cpu > 0.02
    assert used.memory > 20 << 20


def test_there_is_no_network(isolated: Ffmpeg, tmp_path: Path) -> None:
    """In either isolation the only interface is a private loopback."""
    names = output_of(isolated, tmp_path, "cut -d: -f1 -s /proc/net/dev | tr -d ' '")
    assert {"lo"} == set(names[-1:])
    listening = subprocess.run(["cat", "/proc/net/dev"], check=True, capture_output=True, text=True)
    assert listening.stdout.count(":") >= 1


def test_bubblewrap_hides_the_disk(real: Ffmpeg, tmp_path: Path) -> None:
    """In bubblewrap neither the worker's files nor other processes are visible."""
    if not works(Isolation.BUBBLEWRAP, real.path):
        pytest.skip("bubblewrap is not to be had here")
    (tmp_path.parent / "secret").write_text("secret")
    body = f"ls {tmp_path.parent}; ls /root /etc/passwd 2>&1; echo x > {tmp_path}/own"
    lines = output_of(replace(real, isolation=Isolation.BUBBLEWRAP), tmp_path, body)
    assert "secret" not in " ".join(lines)
    assert not any("passwd" in line and "cannot access" not in line for line in lines)
    assert "x\n" == (tmp_path / "own").read_text()


def test_crashes_are_reported_from_isolation(isolated: Ffmpeg, tmp_path: Path) -> None:
    """A program that is ended by a signal is a crash, not a refusal of the file."""
    # The first process behind bubblewrap is deaf to signals of its own, not to those of the kernel.
    path = script(tmp_path / "fake", "sh -c 'kill -SEGV $$'; exit $?")
    with pytest.raises(Transient) as ended:
        replace(isolated, path=path).run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert "media_crashed" == ended.value.reason


def test_a_hanging_program_is_killed_in_isolation(isolated: Ffmpeg, tmp_path: Path) -> None:
    """Deadlines also apply in isolation, and no process is left."""
    alive = Alive(tmp_path)
    path = script(tmp_path / "fake", "exec 3>alive; printf x >&3; sleep 600 & sleep 600; wait")
    hanging = replace(isolated, path=path, limits=ResourceLimits(wall=0.5))
    with pytest.raises(Permanent, match="media_timeout"):
        hanging.run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert b"x" == alive.read()
    assert b"" == alive.read()


def test_the_strongest_isolation_is_used(real: Ffmpeg, tmp_path: Path) -> None:
    """By default the strongest isolation that works is used; one that does not work is refused."""
    best = next(wall for wall in Isolation if wall is Isolation.NONE or works(wall, real.path))
    assert best == real.isolation
    assert Isolation.NONE is Ffmpeg.find(None, Isolation.NONE).isolation


def test_unavailable_isolation_is_refused(monkeypatch: pytest.MonkeyPatch, real: Ffmpeg) -> None:
    """Requested but unavailable isolation stops the process, with the correction."""
    monkeypatch.setattr("worker.transcode.ffmpeg.ffmpeg.works", lambda *_: False)
    with pytest.raises(FfmpegUnusable, match=r"FALHOOK_ISOLATION is bubblewrap.*set auto"):
        Ffmpeg.find(None, Isolation.BUBBLEWRAP)
