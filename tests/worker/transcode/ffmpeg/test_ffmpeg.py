"""Ffmpeg sees one file, is held to its limits, and leaves nothing behind."""

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
    """The ffmpeg that the product would find."""
    return Ffmpeg.find(None)


def fake(tmp_path: Path, body: str, **limits: float) -> Ffmpeg:
    """A program in ffmpeg's place, held to these limits."""
    path = script(tmp_path / "fake", body)
    return Ffmpeg(path=path, by_descriptor=True, limits=replace(ResourceLimits(), **limits))  # type: ignore[arg-type]


def collect(lines: list[str]) -> Callable[[str], bool]:
    """A watch that keeps every line, and takes each for progress."""

    def watch(line: str) -> bool:
        lines.append(line)
        return True

    return watch


class Alive:
    """A named pipe: open for as long as anyone who inherited its writing end lives."""

    def __init__(self, directory: Path) -> None:
        os.mkfifo(directory / "alive")
        self._end = os.open(directory / "alive", os.O_RDONLY | os.O_NONBLOCK)

    def read(self) -> bytes:
        """What was written next; nothing once all writers are gone, which is waited for."""
        assert select.select([self._end], [], [], 20)[0]
        return os.read(self._end, 100)


def test_find_knows_what_the_program_can(real: Ffmpeg) -> None:
    """The wheel's program has the fd protocol, and a configured path is taken as it is."""
    assert real.by_descriptor
    assert real == Ffmpeg.find(ffmpeg_program())


@pytest.mark.parametrize(
    ("body", "words"),
    [("exit 1", "does not run"), ("echo ' A....D aac  AAC'", "no encoder libx264, mjpeg")],
)
def test_find_refuses_an_unfit_program(body: str, words: str, tmp_path: Path) -> None:
    """A program that is not ffmpeg, or cannot encode, is refused with the cure."""
    with pytest.raises(FfmpegUnusable, match=words) as refused:
        Ffmpeg.find(str(script(tmp_path / "fake", body)))
    assert "FALHOOK_FFMPEG" in str(refused.value)


def test_find_refuses_a_missing_program(tmp_path: Path) -> None:
    """A configured program that is not there is named with its setting."""
    with pytest.raises(FfmpegUnusable, match=r"FALHOOK_FFMPEG is .*missing"):
        Ffmpeg.find(str(tmp_path / "missing"))


def test_no_fd_protocol_is_noticed(tmp_path: Path) -> None:
    """A program without the fd protocol, as Debian 12 has it, gets the file by name."""
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
    """Were preflight to let a list of other files pass, ffmpeg itself would refuse it."""
    (tmp_path / "other.mp4").write_bytes(clip("high").read_bytes())
    source = tmp_path / "source.m3u8"
    source.write_bytes(HOSTILE[name][0]())
    with pytest.raises(Permanent, match="media_invalid"):
        replace(real, by_descriptor=by_descriptor).run(
            COPY, source=source, cwd=tmp_path, duration=None
        )
    assert not (tmp_path / "copy.mp4").exists()


def test_the_list_would_have_been_followed(tmp_path: Path) -> None:
    """The same list makes an unguarded ffmpeg read the other file: the guard is what refuses."""
    (tmp_path / "other.mp4").write_bytes(clip("high").read_bytes())
    (tmp_path / "source.mp4").write_bytes(HOSTILE["concat"][0]())
    command = [ffmpeg_program(), "-loglevel", "error", "-i", "source.mp4", *COPY]
    subprocess.run(command, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    assert 10_000 < (tmp_path / "copy.mp4").stat().st_size


def test_a_broken_stream_is_invalid(real: Ffmpeg, tmp_path: Path) -> None:
    """Good headers over media data that does not decode: refused, not half delivered."""
    data = bytearray(clip("high").read_bytes())
    begin = data.find(b"mdat") + 4
    data[begin:] = b"\xff" * (len(data) - begin)
    (tmp_path / "source").write_bytes(data)
    with pytest.raises(Permanent) as refused:
        real.run(ENCODE, source=tmp_path / "source", cwd=tmp_path, duration=2.0)
    assert "media_invalid" == refused.value.reason
    assert str(tmp_path) not in refused.value.sentence


@linux_only
def test_too_little_memory_is_our_own_limit(real: Ffmpeg, tmp_path: Path) -> None:
    """A memory limit that ffmpeg hits may be lifted: the failure is transient."""
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
def test_a_hanging_program_is_ended_with_its_group(
    wall: float, stall: float, failure: type[Failure], words: str, tmp_path: Path
) -> None:
    """A program that ignores SIGTERM is gone at the limit, and so is what it started.

    What stood still may run another time; what took all its time would take it again.
    """
    alive = Alive(tmp_path)
    body = "trap '' TERM INT HUP; exec 3>alive; printf x >&3; sleep 600 & sleep 600; wait"
    hanging = fake(tmp_path, body, wall=wall, stall=stall)
    with pytest.raises(failure, match=words) as ended:
        hanging.run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert "media_timeout" == ended.value.reason
    assert b"x" == alive.read()
    assert b"" == alive.read()


def test_files_that_grow_are_progress(tmp_path: Path) -> None:
    """A program that says nothing may go on while it writes, and no longer."""
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
    """A program that closes its output and sleeps is ended by the same clock."""
    hanging = fake(tmp_path, "exec >&- 2>&-; exec sleep 600", wall=0.4)
    with pytest.raises(Permanent, match="media_timeout"):
        hanging.run((), source=clip("high"), cwd=tmp_path, duration=2.0)


def test_an_exception_ends_the_program(tmp_path: Path) -> None:
    """Whatever interrupts the one who waits, Ctrl-C or a task's time limit, ends the program."""
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


def test_a_flood_of_words_is_bounded(tmp_path: Path) -> None:
    """Of endless stderr the last 8 kB are kept; it counts as no progress."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flood = script(tmp_path / "flood", "exec yes words-without-end >&2")
    ended = run([str(flood)], cwd=tmp_path, limits=ResourceLimits(stall=0.5))
    assert ("stall", -signal.SIGKILL) == (ended.cut, ended.code)
    assert 0 < len(ended.stderr) <= KEPT
    assert 20 << 10 > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def test_an_endless_line_is_bounded(tmp_path: Path) -> None:
    """Standard output without a line's end is dropped, and counts as no progress."""
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
def test_limits_are_hard_and_soft_alike(tmp_path: Path) -> None:
    """The program runs under exactly the limits given, none of which it could lift."""
    kinds = {"t": 7, "f": 4096, "n": 50, "v": 500_000, "c": 0}
    asked = "; ".join(f"echo {kind} $(ulimit -S{kind}) $(ulimit -H{kind})" for kind in kinds)
    lines: list[str] = []
    run(
        [str(script(tmp_path / "ask", f"{asked}; echo nice $(nice)"))],
        cwd=tmp_path,
        limits=ResourceLimits(cpu=7, file_size=2 << 20, open_files=50, memory=512_000_000),
        watch=collect(lines),
    )
    assert [f"{kind} {value} {value}" for kind, value in kinds.items()] == lines[:-1]
    assert f"nice {os.nice(0) + 10}" == lines[-1]


def test_nothing_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the worker's environment, with its keys, the program sees nothing."""
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
    """What may succeed elsewhere or later is not held against the file."""
    with pytest.raises(Transient) as ended:
        fake(tmp_path, body, **limits).run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert "media_crashed" == ended.value.reason


def test_processor_time_that_is_used_up_is_not_given_again(tmp_path: Path) -> None:
    """A clip that takes more than was ample for it would take it every time."""
    busy = fake(tmp_path, "while :; do :; done", cpu=1)
    with pytest.raises(Permanent, match=r"processor time \(1 s .*falhook retry") as ended:
        busy.run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert "media_timeout" == ended.value.reason


def test_the_processor_time_of_a_program_behind_a_wall(walled: Ffmpeg, tmp_path: Path) -> None:
    """The same holds where the program is another's child."""
    path = script(tmp_path / "fake", "while :; do :; done")
    with pytest.raises(Permanent, match="media_timeout"):
        replace(walled, path=path, limits=ResourceLimits(cpu=1)).run(
            (), source=clip("high"), cwd=tmp_path, duration=2.0
        )


def asked_of(seconds: float, fps: int, size: tuple[int, int], outputs: int) -> Work:
    """The work of making these outputs of a clip."""
    frames = round(seconds * fps)
    return Work(frames=frames, pixels=size[0] * size[1], outputs=outputs, size=100 << 20)


def test_limits_of_a_small_clip() -> None:
    """What most models render needs no more than the limits are."""
    assert ResourceLimits() == ResourceLimits().fitted(asked_of(10.0, 24, (1920, 1080), 4))


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
    """Clips within the preflight's bounds have twice the time that they were measured to take."""
    fitted = ResourceLimits().fitted(asked_of(seconds, fps, size, outputs))
    assert fitted.cpu >= 2 * cpu
    assert fitted.wall >= 2 * cpu


@pytest.mark.parametrize(("threads", "taken"), [(1, 1632), (4, 2886)])
def test_memory_grows_with_frames_outputs_and_threads(threads: int, taken: int) -> None:
    """Every output of 4K has half as much again as the addresses it was measured to take, MB."""
    work = replace(asked_of(5.0, 24, (3840, 2160), 9), threads=threads)
    fitted = ResourceLimits().fitted(work)
    assert fitted.memory > 1.5 * (taken << 20)
    assert 4 * ResourceLimits().stall == pytest.approx(fitted.stall)


def test_limits_have_limits() -> None:
    """Whatever a file claims, an end is set to what it may use."""
    claimed = Work(frames=1 << 20, pixels=4096 * 2304, outputs=99, size=1 << 40, threads=64)
    fitted = ResourceLimits().fitted(claimed)
    assert (7200, 7200) == (fitted.cpu, fitted.wall)
    assert (6 << 30, 8 << 30) == (fitted.memory, fitted.file_size)


def test_a_large_source_may_be_copied() -> None:
    """What is copied may be as large as its source."""
    work = replace(asked_of(10.0, 24, (1920, 1080), 1), size=3 << 30)
    assert ResourceLimits().fitted(work).file_size >= 3 << 30


@linux_only
def test_4k_gets_what_it_needs(real: Ffmpeg, tmp_path: Path) -> None:
    """A delivery of large frames has more than the limits that are enough for small ones."""
    poor = replace(real, limits=ResourceLimits(memory=512 << 20, cpu=1))
    made = transcode(clip("uhd"), tmp_path, tags(), ffmpeg=poor, profile=Profile.parse("web+360p"))
    assert 1080 == made.probe.lines
    assert made.usage["ffmpeg"].cpu > 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("exit 183", "media_invalid"),
        ("exit 176", "media_unsupported"),
        ("echo 'Decoder (codec none) not found' >&2; exit 8", "media_unsupported"),
    ],
)
def test_refusals_are_permanent(body: str, reason: str, tmp_path: Path) -> None:
    """What ffmpeg will not read is not tried again, and its words are not passed on."""
    with pytest.raises(Permanent) as ended:
        fake(tmp_path, f"echo secret >&2; {body}").run(
            (), source=clip("high"), cwd=tmp_path, duration=2.0
        )
    assert reason == ended.value.reason
    assert "secret" not in ended.value.sentence


def test_progress_is_told_at_a_sane_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many lines one in half a second is told; each change counts as progress."""
    clock = iter(range(100, 1000))
    monkeypatch.setattr("worker.transcode.ffmpeg.progress.time.monotonic", lambda: next(clock) / 10)
    told: list[Advance] = []
    progress = ProgressParser(10.0, told.append)
    moves = [progress.line(f"out_time_us={step * 100_000}") for step in range(100)]
    assert all(moves)
    assert [0.0, 0.05, 0.1] == pytest.approx([advance.fraction for advance in told[:3]])
    assert 20 == len(told)
    assert not progress.line("out_time_us=9900000")
    assert not progress.line("speed=3x")


def test_progress_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An output that falls behind the others is movement, and takes nothing back."""
    clock = iter(range(100, 1000))
    monkeypatch.setattr(
        "worker.transcode.ffmpeg.progress.time.monotonic", lambda: float(next(clock))
    )
    told: list[Advance] = []
    progress = ProgressParser(10.0, told.append)
    moves = [progress.line(f"out_time_us={step}00000") for step in (20, 60, 50, 70)]
    assert all(moves)
    assert [0.2, 0.6, 0.6, 0.7] == pytest.approx([advance.fraction for advance in told])


def test_progress_knows_frames_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 6 s a quarter is done: three times as long is left."""
    clock = iter([100.0, 106.0])
    monkeypatch.setattr("worker.transcode.ffmpeg.progress.time.monotonic", lambda: next(clock))
    told: list[Advance] = []
    progress = ProgressParser(10.0, told.append)
    lines = ("frame=60", "fps=10.00", "out_time_us=N/A", "out_time_us=2500000")
    assert [True, False, True, True] == [progress.line(line) for line in lines]
    assert [Advance(fraction=0.25, frames=60, fps=10.0, left=18.0)] == told


ISOLATIONS = [Isolation.BUBBLEWRAP, Isolation.NAMESPACES]


@pytest.fixture(params=ISOLATIONS)
def walled(request: pytest.FixtureRequest, real: Ffmpeg) -> Ffmpeg:
    """The product's ffmpeg behind each wall that this machine has."""
    if not works(request.param, real.path):
        pytest.skip(f"{request.param} is not to be had here")
    return replace(real, isolation=request.param)


def asked(program: Ffmpeg, tmp_path: Path, body: str) -> list[str]:
    """What a program in ffmpeg's place says of the world behind that wall."""
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
def test_works_behind_each_wall(by_descriptor: bool, walled: Ffmpeg, tmp_path: Path) -> None:
    """ffmpeg reads and writes what it should, and what it used is told, whatever walls it off."""
    program = replace(walled, by_descriptor=by_descriptor)
    used = program.run(ENCODE, source=clip("high"), cwd=tmp_path, duration=2.0)
    assert 10_000 < (tmp_path / "copy.mp4").stat().st_size
    assert used.cpu > 0.02
    assert used.memory > 20 << 20


def test_there_is_no_network(walled: Ffmpeg, tmp_path: Path) -> None:
    """Behind either wall there is no interface but a loopback of its own."""
    names = asked(walled, tmp_path, "cut -d: -f1 -s /proc/net/dev | tr -d ' '")
    assert {"lo"} == set(names[-1:])
    listening = subprocess.run(["cat", "/proc/net/dev"], check=True, capture_output=True, text=True)
    assert listening.stdout.count(":") >= 1


def test_bubblewrap_hides_the_disk(real: Ffmpeg, tmp_path: Path) -> None:
    """Behind bubblewrap neither the worker's files nor other processes are there."""
    if not works(Isolation.BUBBLEWRAP, real.path):
        pytest.skip("bubblewrap is not to be had here")
    (tmp_path.parent / "secret").write_text("secret")
    body = f"ls {tmp_path.parent}; ls /root /etc/passwd 2>&1; echo x > {tmp_path}/own"
    lines = asked(replace(real, isolation=Isolation.BUBBLEWRAP), tmp_path, body)
    assert "secret" not in " ".join(lines)
    assert not any("passwd" in line and "cannot access" not in line for line in lines)
    assert "x\n" == (tmp_path / "own").read_text()


def test_crashes_are_seen_through_the_wall(walled: Ffmpeg, tmp_path: Path) -> None:
    """A program that is ended by a signal is a crash, not a refusal of the file."""
    # The first process behind bubblewrap is deaf to signals of its own, not to those of the kernel.
    path = script(tmp_path / "fake", "sh -c 'kill -SEGV $$'; exit $?")
    with pytest.raises(Transient) as ended:
        replace(walled, path=path).run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert "media_crashed" == ended.value.reason


def test_a_hanging_program_is_ended_behind_the_wall(walled: Ffmpeg, tmp_path: Path) -> None:
    """The clocks reach through the wall, and nothing is left behind it."""
    alive = Alive(tmp_path)
    path = script(tmp_path / "fake", "exec 3>alive; printf x >&3; sleep 600 & sleep 600; wait")
    hanging = replace(walled, path=path, limits=ResourceLimits(wall=0.5))
    with pytest.raises(Permanent, match="media_timeout"):
        hanging.run((), source=clip("high"), cwd=tmp_path, duration=2.0)
    assert b"x" == alive.read()
    assert b"" == alive.read()


def test_the_strongest_wall_is_taken(real: Ffmpeg, tmp_path: Path) -> None:
    """Without a wish the strongest that works is taken; one that does not work is refused."""
    best = next(wall for wall in Isolation if wall is Isolation.NONE or works(wall, real.path))
    assert best == real.isolation
    assert Isolation.NONE is Ffmpeg.find(None, Isolation.NONE).isolation


def test_a_wall_that_is_not_there(monkeypatch: pytest.MonkeyPatch, real: Ffmpeg) -> None:
    """An isolation that is asked for and not to be had stops the process, with the cure."""
    monkeypatch.setattr("worker.transcode.ffmpeg.ffmpeg.works", lambda *_: False)
    with pytest.raises(FfmpegUnusable, match=r"FALHOOK_ISOLATION is bubblewrap.*set auto"):
        Ffmpeg.find(None, Isolation.BUBBLEWRAP)
