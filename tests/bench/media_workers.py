"""Two workers against one, and against as many processes of ffmpeg alone.

Since version 7 ffmpeg runs demuxer, decoder, filters and encoders in separate threads, even with
one thread for each: one worker keeps more than one processor busy, and two workers cannot be twice
as fast on two. Therefore one worker is also restricted to one processor. The same command written
by hand, without falhook's code, shows the most that this machine allows.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.bench.media_rivals import by_hand
from tests.bench.media_timing import Rival, interleaved, only_on, processor_seconds
from tests.factories.clips import tags
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.transcoder import transcode

JOBS = 4
ROUNDS = 3
Work = Callable[[Path], object]


def side_by_side(clip: Path, here: Path, profile: Profile) -> Mapping[str, float]:
    """Measure clips per second of one and of two workers, and of ffmpeg alone as the control."""
    program = Ffmpeg.find(None)
    falhook = partial(_transcode, clip, program, profile)
    control = partial(by_hand, program.path, clip)
    everywhere, first, second = _processors()
    rivals: dict[str, Rival] = {}
    for name, work in (("workers", falhook), ("control", control)):
        rivals |= {
            f"one_{name}": _clips(work, [everywhere]),
            f"one_{name}_core": _clips(work, [first]),
            f"two_{name}": _clips(work, [everywhere, everywhere]),
            f"two_{name}_pinned": _clips(work, [first, second]),
        }
    walls = interleaved(rivals, here, rounds=ROUNDS, clock=time.perf_counter)
    alone = {"one": rivals["one_workers"]}
    cpu = interleaved(alone, here, rounds=1, clock=processor_seconds)
    return {
        "media.processors_of_one_worker": cpu["one"] / walls["one_workers"],
        **{f"media.{name}_clips_per_s": JOBS / wall for name, wall in walls.items()},
        **_ratios(walls, "workers"),
        **_ratios(walls, "control"),
    }


def _ratios(walls: Mapping[str, float], name: str) -> Mapping[str, float]:
    two = walls[f"two_{name}"]
    return {
        f"media.two_{name}_per_one": walls[f"one_{name}"] / two,
        f"media.two_{name}_per_one_core": walls[f"one_{name}_core"] / two,
        f"media.two_{name}_pinned_per_not": two / walls[f"two_{name}_pinned"],
    }


def _processors() -> tuple[frozenset[int], frozenset[int], frozenset[int]]:
    """Return two processors together, and each of them alone."""
    first, second, *_ = sorted(os.sched_getaffinity(0))
    return frozenset({first, second}), frozenset({first}), frozenset({second})


def _clips(work: Work, processors: Sequence[frozenset[int]]) -> Rival:
    """Return a rival that does all clips with one worker on each of these sets of processors."""

    def run(target: Path) -> None:
        left = iter(range(JOBS))

        def worker(allowed: frozenset[int]) -> None:
            with only_on(allowed):
                for number in left:
                    work(target / str(number))

        # Threads stand for workers: nearly all of the work is in their ffmpeg processes.
        with ThreadPoolExecutor(len(processors)) as pool:
            list(pool.map(worker, processors))

    return run


def _transcode(clip: Path, program: Ffmpeg, profile: Profile, into: Path) -> object:
    return transcode(clip, into, tags(), ffmpeg=program, profile=profile)
