"""The cost of media work against the possible minimum: `python -m tests.bench.media`.

The rivals take turns in each round and their medians are compared, so that a noisy neighbour
affects all of them. The results are ratios; processor seconds vary less than wall time.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests import ROOT
from tests.bench.media_bars import table
from tests.bench.media_clips import OFTEN, conforming, padded
from tests.bench.media_rivals import apart, by_hand
from tests.bench.media_timing import interleaved, processor_seconds
from tests.bench.media_workers import side_by_side
from tests.factories.clips import tags
from worker.formats.mp4 import probe, read_tags, rewrite
from worker.transcode.conformance import video_reasons
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.profiles import Profile
from worker.transcode.transcoder import transcode

RESULTS = ROOT / "bench.json"
OUTPUTS = Profile.parse("original+720p+360p+webp+preview+storyboard")
ROUNDS = 5


def main() -> None:
    """Run all benches, print them, and merge them into bench.json under `media.*`."""
    with tempfile.TemporaryDirectory(prefix="falhook-bench-") as scratch:
        here = Path(scratch)
        clip, short = conforming(here / "clip.mp4", 10), conforming(here / "short.mp4", 3)
        keyed = conforming(here / "keyed.mp4", 10, keyframes=OFTEN)
        figures = {**copying(clip, keyed, here), **one_run(short, here)}
        figures |= side_by_side(short, here, OUTPUTS)
        figures |= memory(conforming(here / "small.mp4", 2), here)
    merged = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    others = {name: value for name, value in merged.items() if not name.startswith("media.")}
    RESULTS.write_text(json.dumps(others | figures, indent=2) + "\n")
    for line in table(figures):
        print(line)  # noqa: T201


def copying(clip: Path, keyed: Path, here: Path) -> Mapping[str, float]:
    """Measure a conforming clip from probe to verified tags against a bare copy, in wall ms.

    Also with the poster at one second. Its decoding begins at the keyframe before: in `clip` that
    is the first frame, in `keyed` the poster's own frame.
    """

    def tag(target: Path) -> None:
        source, old_tags = probe(clip), read_tags(clip)
        assert not video_reasons(source)
        rewrite(clip, target, tags().stamp(old_tags))
        assert source.frames == probe(target).frames
        assert tags().title == read_tags(target)["title"]

    walls = interleaved(
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
    whole = interleaved(
        {
            "clip": lambda target: transcode(clip, target, tags(), ffmpeg=program),
            "keyed": lambda target: transcode(keyed, target, tags(), ffmpeg=program),
        },
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
        "media.step_with_poster_ms": 1000 * whole["clip"],
        "media.step_with_poster_at_a_keyframe_ms": 1000 * whole["keyed"],
    }


def one_run(clip: Path, here: Path) -> Mapping[str, float]:
    """Measure the processor seconds of all outputs against a run of ffmpeg for each of them, and
    against one run written by hand.
    """
    program = Ffmpeg.find(None)
    cpu = interleaved(
        {
            "deliver": lambda target: transcode(
                clip, target, tags(), ffmpeg=program, profile=OUTPUTS
            ),
            "apart": lambda target: apart(program.path, clip, target),
            "by_hand": lambda target: by_hand(program.path, clip, target),
        },
        here,
        rounds=3,
        clock=processor_seconds,
    )
    return {
        "media.outputs_cpu_s": cpu["deliver"],
        "media.outputs_per_separate_runs": cpu["deliver"] / cpu["apart"],
        "media.outputs_per_hand_written": cpu["deliver"] / cpu["by_hand"],
    }


WORKER = """
import resource, sys
from pathlib import Path
from tests.factories.clips import tags
from worker.transcode.ffmpeg import Ffmpeg
from worker.transcode.transcoder import transcode
program = Ffmpeg.find(None)
transcode(Path(sys.argv[1]), Path(sys.argv[2]), tags(), ffmpeg=program)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory(clip: Path, here: Path) -> Mapping[str, float]:
    """Measure a worker's peak memory in MB with sources from 5 MB to 1 GB."""
    sizes = {"5mb": 5, "100mb": 100, "1gb": 1000}
    peaks = {}
    for name, megabytes in sizes.items():
        source = padded(clip, here / "large.mp4", megabytes * 1_000_000)
        into = here / "large"
        command = [sys.executable, "-c", WORKER, str(source), str(into)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[f"media.worker_rss_{name}"] = int(done.stdout) / 1024
        shutil.rmtree(into)
        source.unlink()
    largest, smallest = peaks["media.worker_rss_1gb"], peaks["media.worker_rss_5mb"]
    return peaks | {"media.worker_rss_1gb_per_5mb": largest / smallest}


def _copied(source: Path, target: Path) -> None:
    with source.open("rb") as file, target.open("wb") as out:
        shutil.copyfileobj(file, out, 1 << 20)


if __name__ == "__main__":
    main()
