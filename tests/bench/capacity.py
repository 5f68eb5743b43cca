"""What one machine can carry: `python -m tests.bench.capacity [--jobs 20] [--profile original]`.

Jobs of 5 s in 1080p (about 12 MB each) go through the local stack: embedded Redis, simulated fal
and the processes of the Procfile. Printed are the processor seconds of falhook's own processes and
of ffmpeg for each job, the jobs an hour that one core can carry by them, the most memory that
`media` and its ffmpeg took, and the bytes that Redis keeps for each job that has ended. Processor
seconds hardly depend on what else the machine does.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
from redis import Redis

from infra.local.fal.media.clips import Clip, Media, style_of
from infra.local.logfile import Logfile
from infra.local.stack import Stack, stack
from infra.local.supervisor.procfile import load_procfile
from tests import ROOT
from tests.bench.media_clips import conforming
from worker.jobs.store import job_key

ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
PROMPT = "A red fox crosses fresh snow at dawn, slow dolly, golden light, 35 mm, film grain"
SECONDS = 5
# Seconds between two looks at the memory; an ffmpeg of a clip runs for longer.
SAMPLE = 0.05


class _LargeClips(Media):
    """The cache of the simulated fal, with clips as large as those of the real one."""

    async def _make(self, _args: list[str], path: Path) -> None:
        await asyncio.to_thread(conforming, path, SECONDS)


def main() -> None:
    """Measure and print; the stack and its files are removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--profile", default="original", help="as FALHOOK_PROFILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="falhook-capacity-") as scratch:
        here = Path(scratch)
        fal_options = ("--render-seconds", "1", "--media-cache", str(large_clips(here / "clips")))
        environ = {**os.environ, "FALHOOK_PROFILE": options.profile}
        environ.pop("REDIS_URL", None)
        with (
            Logfile(here / "stack.log") as log,
            stack(here / "run", log.write, environ=environ, fal_options=fal_options) as running,
        ):
            figures = _measured(running, options.jobs)
    for name, figure in {"profile": options.profile, **figures}.items():
        print(f"{name:<31}{figure}")  # noqa: T201


def large_clips(cache: Path) -> Path:
    """Fill the cache of a simulated fal with the clip of PROMPT, and return it."""
    asyncio.run(_LargeClips(cache).video(Clip(seconds=SECONDS, style=style_of(PROMPT))))
    return cache


def _measured(running: Stack, jobs: int) -> Mapping[str, object]:
    _publish(running, "warm-up", 1)
    before = _processor_seconds(running)
    with _MemoryWatch(running.supervisor.pid("media")) as memory:
        ids = _publish(running, "measured", jobs)
    spent = {name: after - before[name] for name, after in _processor_seconds(running).items()}
    each = sum(spent.values()) / jobs
    return {
        "jobs": jobs,
        **{f"{name}: processor s a job": f"{used / jobs:.3f}" for name, used in spent.items()},
        "all: processor s a job": f"{each:.3f}",
        "jobs an hour and core": f"{3600 / each:,.0f}",
        "media: MiB at the most": f"{memory.most / 2**20:,.0f}",
        "Redis: bytes a job": f"{_memory(running, ids) / jobs:,.0f}",
    }


class _MemoryWatch:
    """The most memory, in bytes, that a process and its children took while it was entered."""

    def __init__(self, pid: int | None) -> None:
        self._process = psutil.Process(pid)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._left.wait(SAMPLE):
            total = 0
            for process in (self._process, *self._process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):  # an ffmpeg that has just ended
                    total += process.memory_info().rss
            self.most = max(self.most, total)


def _publish(running: Stack, name: str, count: int) -> list[str]:
    """Create jobs, wait until each is published, and return their ids."""
    ids = [f"{name}-{number}" for number in range(count)]
    lines = [json.dumps({"id": job_id, "arguments": {"prompt": PROMPT}}) for job_id in ids]
    batch = running.directory / f"{name}.jsonl"
    batch.write_text("\n".join(lines))
    for arguments in (("submit", ENDPOINT, "--from", str(batch), "--yes"), ("watch", *ids)):
        command = [sys.executable, "-m", "worker", *arguments, "--json"]
        environ = dict(running.environ)
        subprocess.run(command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return ids


def _processor_seconds(running: Stack) -> Mapping[str, float]:
    """Return those of each process of the Procfile, with the children that have ended."""
    return {
        name: sum(psutil.Process(running.supervisor.pid(name)).cpu_times()[:4])
        for name in load_procfile(ROOT / "Procfile")
    }


def _memory(running: Stack, ids: list[str]) -> int:
    """Return the bytes of the records and histories of these jobs."""
    with Redis.from_url(running.settings["REDIS_URL"]) as redis:
        return sum(redis.memory_usage(job_key(job_id), samples=0) or 0 for job_id in ids)


if __name__ == "__main__":
    main()
