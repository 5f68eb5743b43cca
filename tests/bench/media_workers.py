"""Workers side by side, against one alone, and against ffmpeg alone in as many processes.

Since version 7 ffmpeg runs demuxer, decoder, filters and encoders in threads of their own, even
where each has one thread: one worker alone keeps more than one processor busy, and two cannot be
twice as fast on two. Hence one worker is also held to one processor; and the same command written
by hand, without any of our code, tells what this machine allows at most.
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
    """Clips a second of two workers on two processors and their ratio to one, both controls'."""
    program = Ffmpeg.find(None)
    ours = partial(_ours, clip, program, profile)
    control = partial(by_hand, program.path, clip)
    everywhere, first, second = _processors()
    rivals: dict[str, Rival] = {}
    for name, work in (("workers", ours), ("control", control)):
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
    """Two processors together, and each of them."""
    first, second, *_ = sorted(os.sched_getaffinity(0))
    return frozenset({first, second}), frozenset({first}), frozenset({second})


def _clips(work: Work, places: Sequence[frozenset[int]]) -> Rival:
    """All clips, by a worker in each of these places; each takes the next that is left."""

    def run(target: Path) -> None:
        left = iter(range(JOBS))

        def worker(place: frozenset[int]) -> None:
            with only_on(place):
                for number in left:
                    work(target / str(number))

        # Threads stand for workers: nearly all of the work is in their ffmpeg processes.
        with ThreadPoolExecutor(len(places)) as pool:
            list(pool.map(worker, places))

    return run


def _ours(clip: Path, program: Ffmpeg, profile: Profile, into: Path) -> object:
    return transcode(clip, into, tags(), ffmpeg=program, profile=profile)
