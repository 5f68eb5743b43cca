"""What media work costs against the least it could: `python -m tests.bench.media`.

One interleaved run: the rivals of each round take turns, and medians are compared, so that a noisy
neighbour meets all of them. Ratios are the result; processor seconds are steadier than wall time.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.media_clips import conforming, padded
from tests.bench.media_rivals import apart, by_hand
from tests.media_factories import tags
from worker.conform import video_reasons
from worker.ffmpeg import Ffmpeg
from worker.media import deliver
from worker.mp4 import probe, read_tags, rewrite
from worker.profiles import Profile

RESULTS = Path(__file__).parents[2] / "bench.json"
OUTPUTS = Profile.parse("original+720p+360p+webp+preview+storyboard")
ROUNDS = 5
Rival = Callable[[Path], object]


def main() -> None:
    """Run all benches, print them, and merge them into bench.json under `media.*`."""
    with tempfile.TemporaryDirectory(prefix="falhook-bench-") as scratch:
        here = Path(scratch)
        clip, short = conforming(here / "clip.mp4", 10), conforming(here / "short.mp4", 3)
        found = {**copying(clip, here), **one_run(short, here), **side_by_side(short, here)}
        found |= memory(short, here)
    merged = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    others = {name: value for name, value in merged.items() if not name.startswith("media.")}
    RESULTS.write_text(json.dumps(others | found, indent=2) + "\n")
    for name, value in found.items():
        print(f"{name:44} {value:>10.3f}")  # noqa: T201


def copying(clip: Path, here: Path) -> Mapping[str, float]:
    """A conforming clip from probe to tagged and verified, against a bare copy, wall ms."""

    def tag(target: Path) -> None:
        held, theirs = probe(clip), read_tags(clip)
        assert not video_reasons(held)
        rewrite(clip, target, tags().stamp(theirs))
        assert probe(target).frames == held.frames
        assert read_tags(target)["title"] == tags().title

    walls = _interleaved(
        {
            "copyfile": lambda target: shutil.copyfile(clip, target),
            "read_write": lambda target: _copied(clip, target),
            "tag": tag,
        },
        here,
        rounds=25,
        clock=time.perf_counter,
    )
    program = Ffmpeg.find(None)
    whole = _interleaved(
        {"step": lambda target: deliver(clip, target, tags(), ffmpeg=program)},
        here,
        rounds=ROUNDS,
        clock=time.perf_counter,
    )
    return {
        "media.clip_mb": clip.stat().st_size / 1e6,
        "media.copyfile_ms": 1000 * walls["copyfile"],
        "media.read_write_ms": 1000 * walls["read_write"],
        "media.tag_ms": 1000 * walls["tag"],
        "media.tag_per_copyfile": walls["tag"] / walls["copyfile"],
        "media.step_with_poster_ms": 1000 * whole["step"],
    }


def one_run(clip: Path, here: Path) -> Mapping[str, float]:
    """All outputs of a clip: processor seconds against an ffmpeg each, and against one by hand."""
    program = Ffmpeg.find(None)
    cpu = _interleaved(
        {
            "deliver": lambda target: deliver(
                clip, target, tags(), ffmpeg=program, profile=OUTPUTS
            ),
            "apart": lambda target: apart(program.path, clip, target),
            "by_hand": lambda target: by_hand(program.path, clip, target),
        },
        here,
        rounds=3,
        clock=_processor_seconds,
    )
    return {
        "media.outputs_cpu_s": cpu["deliver"],
        "media.outputs_per_separate_runs": cpu["deliver"] / cpu["apart"],
        "media.outputs_per_hand_written": cpu["deliver"] / cpu["by_hand"],
    }


def side_by_side(clip: Path, here: Path) -> Mapping[str, float]:
    """Clips a second of two workers on two processors, against one; its ffmpeg has one thread."""
    program = Ffmpeg.find(None)
    jobs = 4

    def work(workers: int) -> Rival:
        def run(target: Path) -> None:
            def one(number: int) -> object:
                into = target / str(number)
                return deliver(clip, into, tags(), ffmpeg=program, profile=OUTPUTS)

            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(one, range(jobs)))

        return run

    # Threads stand for workers: nearly all of the work is in their ffmpeg processes.
    rivals = {"one": work(1), "two": work(2)}
    walls = _interleaved(rivals, here, rounds=3, clock=time.perf_counter)
    cpu = _interleaved({"one": work(1)}, here, rounds=1, clock=_processor_seconds)
    return {
        "media.clips_per_s_one_worker": jobs / walls["one"],
        "media.two_workers_per_one": walls["one"] / walls["two"],
        # ffmpeg decodes, filters and encodes at once: one worker alone uses more than one
        # processor, and two can at most be (processors / this) times as fast.
        "media.processors_of_one_worker": cpu["one"] / walls["one"],
        "media.processors": float(os.cpu_count() or 1),
    }


WORKER = """
import resource, sys
from pathlib import Path
from tests.media_factories import tags
from worker.ffmpeg import Ffmpeg, Limits
from worker.media import deliver
program = Ffmpeg.find(None)
deliver(Path(sys.argv[1]), Path(sys.argv[2]), tags(), ffmpeg=program)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory(clip: Path, here: Path) -> Mapping[str, float]:
    """A worker's peak memory with sources from 9 MB to 1 GB, MB."""
    sizes = {"9mb": 9, "100mb": 100, "1gb": 1000}
    found = {}
    for name, megabytes in sizes.items():
        source = padded(clip, here / "large.mp4", megabytes * 1_000_000)
        into = here / "large"
        command = [sys.executable, "-c", WORKER, str(source), str(into)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[f"media.worker_rss_{name}"] = int(done.stdout) / 1024
        shutil.rmtree(into)
        source.unlink()
    return found


def _interleaved(
    rivals: Mapping[str, Rival], here: Path, *, rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """The median of each rival's cost by this clock; each round, all of them in turn."""
    costs: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, rival in rivals.items():
            target = here / "target"
            begun = clock()
            rival(target)
            costs[name].append(clock() - begun)
            shutil.rmtree(target) if target.is_dir() else target.unlink()
    return {name: statistics.median(measured) for name, measured in costs.items()}


def _processor_seconds() -> float:
    """Processor time of this process and of all its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _copied(source: Path, target: Path) -> None:
    with source.open("rb") as file, target.open("wb") as out:
        shutil.copyfileobj(file, out, 1 << 20)


if __name__ == "__main__":
    main()
