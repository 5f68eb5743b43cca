"""The whole sandbox: hostile files open nothing, connect nowhere, and use few resources."""

import re
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.factories.attacks import ATTACKS, BOMBS, MISPLACED, OTHER, SECRET, mutated
from tests.factories.clips import clip, ffmpeg_program, script, tags
from worker.errors import Failure
from worker.formats.errors import MediaError
from worker.formats.mp4 import probe
from worker.transcode.command import command
from worker.transcode.ffmpeg import Ffmpeg, Isolation, ResourceLimits
from worker.transcode.ffmpeg.sandbox import ProcessResult, run
from worker.transcode.ffmpeg.watchdog import KEPT
from worker.transcode.plan import Plan
from worker.transcode.profiles import Profile
from worker.transcode.result import TranscodeResult
from worker.transcode.transcoder import transcode

ALL = Profile.parse("web+720p+360p+preview+storyboard+blurhash")
# What a program may open beside its own directory: libraries and what the kernel says of itself.
SYSTEM = ("/lib", "/usr/lib", "/etc/ld.so.", "/proc/", "/sys/", "/dev/", "/usr/local/lib")
OPENS = re.compile(r'\b(?:open|openat|openat2|creat)\((?:AT_FDCWD, )?"([^"]*)"')
SOCKETS = re.compile(r"\b(?:socket|connect|bind|sendto|sendmsg)\(")
WORKER_CAP = 300 << 20  # bytes that the worker may use
strace = pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="limits that only Linux has")


@pytest.fixture(scope="module")
def real() -> Ffmpeg:
    """The default ffmpeg, with short deadlines."""
    return replace(Ffmpeg.find(None), limits=ResourceLimits(wall=60.0, cpu=60))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with the target of an attack, next to the one in which ffmpeg works."""
    directory = tmp_path / "tenant"
    (directory / "work").mkdir(parents=True)
    shutil.copy(clip("high"), directory / OTHER)
    shutil.copy(clip("high"), directory / "work" / OTHER)
    (directory / SECRET).write_text("root:x:0:0\n")
    return directory


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on the loopback that waits for connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def traced(program: Path, trace: Path, directory: Path) -> Path:
    """A program that runs this one under strace."""
    calls = "open,openat,openat2,creat,socket,connect,bind,sendto,sendmsg"
    traced = f"exec strace -f -qq -o {shlex.quote(str(trace))} -e trace={calls}"
    return script(directory / "traced", f'{traced} {shlex.quote(str(program))} "$@"')


def forbidden(trace: Path, *own: Path) -> list[str]:
    """The lines of a trace in which another file or a socket was opened, or tried to be."""
    found = []
    for line in trace.read_text().splitlines():
        if SOCKETS.search(line):
            found.append(line)
        for path in OPENS.findall(line):
            inside = not path.startswith("/") or path.startswith((*SYSTEM, *map(str, own)))
            if not inside or Path(path).name in {SECRET, OTHER}:
                found.append(line)
    return found


def everything(source: Path, program: Ffmpeg, cwd: Path) -> ProcessResult:
    """The result of ffmpeg with every output of a file that skipped preflight."""
    claimed = replace(probe(clip("high")), fourcc="hvc1")
    plan = Plan(source=claimed, master="transcode", lines=1080, outputs=ALL.outputs)
    with source.open("rb") as file:
        return run(
            program._command(command(plan, program), source),
            cwd=cwd,
            limits=program.limits,
            stdin=file if program.by_descriptor else None,
        )


@strace
@pytest.mark.parametrize("by_descriptor", [True, False])
@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_opens_anything(
    name: str, by_descriptor: bool, here: Path, listener: socket.socket, real: Ffmpeg
) -> None:
    """Even without preflight and isolation, an attack opens no other file and no socket."""
    source = here / "source.m3u8"  # the name that made some demuxers bolder
    source.write_bytes(ATTACKS[name](here, listener.getsockname()[1]))
    trace = here.parent / "trace"
    program = replace(
        real,
        path=traced(real.path, trace, here.parent),
        isolation=Isolation.NONE,
        by_descriptor=by_descriptor,
    )
    result = everything(source, program, here / "work")
    assert 0 != result.code
    assert trace.read_text()
    assert [] == forbidden(trace, here / "work", source)
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_passes_the_preflight(name: str, here: Path, tmp_path: Path) -> None:
    """Each attack is refused by its bytes alone; the decoder is not even started."""
    (tmp_path / "source").write_bytes(ATTACKS[name](here, 9))
    unstartable = Ffmpeg(path=tmp_path / "no-such-program", by_descriptor=True)
    with pytest.raises(MediaError):
        transcode(tmp_path / "source", tmp_path / "into", tags(), ffmpeg=unstartable)


@strace
@pytest.mark.parametrize(
    ("name", "target"), [("dash_file", OTHER), ("concat_relative", OTHER), ("hls_relative", OTHER)]
)
def test_the_attacks_are_real(name: str, target: str, here: Path, tmp_path: Path) -> None:
    """An ffmpeg without guards opens the target of the attack, and the trace shows it."""
    source = here / "source.m3u8"
    source.write_bytes(ATTACKS[name](here, 9))
    trace = tmp_path / "trace"
    program = traced(Path(ffmpeg_program()), trace, tmp_path)
    arguments = [str(program), "-nostdin", "-i", str(source), "-f", "null", "-"]
    subprocess.run(arguments, check=False, capture_output=True, cwd=here / "work", timeout=60)
    assert any(target in line for line in forbidden(trace, here / "work"))


@strace
def test_a_good_clip_opens_nothing_else(here: Path, real: Ffmpeg, tmp_path: Path) -> None:
    """In the same trace of a good clip every output is written, and no other file is opened."""
    trace = tmp_path / "trace"
    program = replace(real, path=traced(real.path, trace, tmp_path), isolation=Isolation.NONE)
    result = everything(clip("high"), program, here / "work")
    assert (0, []) == (result.code, forbidden(trace, here / "work"))


@linux_only
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_without_preflight(name: str, real: Ffmpeg, tmp_path: Path) -> None:
    """If a bomb reached ffmpeg, it would end within its limits, and write little."""
    source = tmp_path / "bomb"
    source.write_bytes(BOMBS[name](tmp_path / "scratch"))
    cwd = tmp_path / "work"
    cwd.mkdir()
    start = time.monotonic()
    result = everything(source, real, cwd)
    assert time.monotonic() - start < 20
    # A child's peak is at least that of the process that started it.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert max(400 << 20, own) >= result.usage.memory
    assert 50 << 20 > sum(path.stat().st_size for path in cwd.iterdir())


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_not_pass_the_preflight(name: str, tmp_path: Path) -> None:
    """Each bomb is refused quickly, before a decoder is started."""
    (tmp_path / "bomb").write_bytes(BOMBS[name](tmp_path / "scratch"))
    unstartable = Ffmpeg(path=tmp_path / "no-such-program", by_descriptor=True)
    start = time.process_time()
    with pytest.raises(MediaError, match="media_invalid"):
        transcode(tmp_path / "bomb", tmp_path / "into", tags(), ffmpeg=unstartable)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("name", MISPLACED)
def test_misplaced_boxes_do_not_pass_the_preflight(name: str, tmp_path: Path) -> None:
    """The decoder, which accepts these boxes anywhere, is not started."""
    (tmp_path / "source").write_bytes(MISPLACED[name]())
    unstartable = Ffmpeg(path=tmp_path / "no-such-program", by_descriptor=True)
    with pytest.raises(MediaError, match=r"media_invalid|samples are encrypted"):
        transcode(tmp_path / "source", tmp_path / "into", tags(), ffmpeg=unstartable)


@linux_only
@pytest.mark.parametrize("megabytes", [256, 320, 384])
def test_a_good_clip_in_too_little_memory(megabytes: int, real: Ffmpeg, tmp_path: Path) -> None:
    """Some builds then print errors forever: a deadline ends them, and their output is bounded."""
    limits = ResourceLimits(memory=megabytes << 20, wall=5.0, stall=3.0)
    start = time.monotonic()
    result = everything(clip("tall"), replace(real, limits=limits), tmp_path)
    assert time.monotonic() - start < 7
    assert len(result.stderr) <= KEPT


WORKER = """
import pathlib, sys
from tests.factories.clips import tags
from worker.errors import Failure
from worker.formats.errors import MediaError
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.transcoder import transcode
from worker.transcode.profiles import Profile
program, profile = Ffmpeg.find(None), Profile.parse("web+360p+preview+storyboard+blurhash")
for path in map(pathlib.Path, sys.argv[1:]):
    try:
        transcode(path, path.with_suffix(".into"), tags(), ffmpeg=program, profile=profile)
    except (Failure, MediaError):
        pass
# Not ru_maxrss: Linux lets a program inherit that of the process that started it.
status = pathlib.Path("/proc/self/status").read_text().split()
print(status[status.index("VmHWM:") + 1])
"""


@linux_only
def test_the_worker_stays_small(here: Path, tmp_path: Path) -> None:
    """One worker takes at most 300 MB for every attack and bomb, and good clips between them."""
    made: dict[str, bytes] = {name: attack(here, 9) for name, attack in ATTACKS.items()}
    made |= {name: bomb(tmp_path / "scratch") for name, bomb in BOMBS.items()}
    made |= {name: make() for name, make in MISPLACED.items()}
    made |= {name: clip(name).read_bytes() for name in ("high", "hevc", "tall")}
    for name, data in made.items():
        (tmp_path / f"{name}.bin").write_bytes(data)
    paths = [str(tmp_path / f"{name}.bin") for name in made]
    command = [sys.executable, "-c", WORKER, *paths]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert WORKER_CAP > int(done.stdout) * 1024


def outcome(source: Path, into: Path, program: Ffmpeg) -> TranscodeResult | Failure | MediaError:
    try:
        return transcode(source, into, tags(), ffmpeg=program)
    except (Failure, MediaError) as failure:
        return failure


def survive(seeds: range, program: Ffmpeg, tmp_path: Path) -> dict[str, int]:
    """Count the outcomes, each within bounds of time and disk."""
    counts: dict[str, int] = {}
    for seed in seeds:
        source, into = tmp_path / "source", tmp_path / "into"
        source.write_bytes(mutated(seed))
        shutil.rmtree(into, ignore_errors=True)
        start = time.monotonic()
        found = outcome(source, into, program)
        assert time.monotonic() - start < 30, f"seed {seed}"
        size = sum(path.stat().st_size for path in into.rglob("*")) if into.exists() else 0
        assert 20 << 20 > size, f"seed {seed}"
        name = found.reason if isinstance(found, Failure | MediaError) else found.method
        counts[name] = counts.get(name, 0) + 1
    return counts


def test_mutated_files(real: Ffmpeg, tmp_path: Path) -> None:
    """Damaged clips are transcoded or refused in bounded time; the worker survives."""
    counts = survive(range(40), real, tmp_path)
    assert 40 == sum(counts.values())
    assert {"media_invalid"} < set(counts)


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_two_thousand_mutated_files(real: Ffmpeg, tmp_path: Path) -> None:
    """The same with 2,000 files: the worker's memory does not grow."""
    survive(range(10_000, 10_050), real, tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = survive(range(2_000), real, tmp_path)
    assert 2_000 == sum(counts.values())
    assert set(counts) <= {
        "copy",
        "transcode",
        "media_invalid",
        "media_unsupported",
        "media_crashed",
    }
    assert 20 << 10 > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
