"""The start of the command line: `python -m tests.bench.cli_start [--rounds N]`.

Every command runs in turn with `import click`, several times, on an embedded Valkey with one job.
Prints the least processor time of each in seconds, its ratio to that of `import click`, which all
need, and the bar. Whatever else the machine does slows all of them down alike, so ratios hold on a
busy one too.
`--against COMMIT` compares `--version` with that of an older commit instead.
"""

import argparse
import io
import resource
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.redis.server import RedisServer
from tests import ROOT
from tests.factories.callbacks import receiver_environment

# The most of the time of the last commit before commands imported only what they run, c276268.
BAR_AGAINST = 0.15
ROUNDS = 7
VERSION = ("-m", "worker", "--version")
UNIT = "import click"
ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
SUBMIT = f"submit {ENDPOINT} --prompt Fox --id job1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Commands that need the same libraries, with the most of the unit's time that each takes.

    `library` is a program that only imports what they cannot do without.
    """

    title: str
    bar: float | None
    library: str = ""
    commands: Sequence[str]


GROUPS = (
    Group(
        title="need no library",
        bar=3.5,
        commands=(
            "--version",
            "--help",
            *(f"{name} --help" for name in ("submit", "watch", "list", "retry", "check", "models")),
            *("keys add --help", "models add --help", "models refresh --help", "sim --help"),
            *("completion bash --print", "settings", "settings --as env", "settings --json"),
            *(
                "models",
                "models --json",
                f"models show {ENDPOINT}",
                f"models show {ENDPOINT} --json",
            ),
            "submit",
        ),
    ),
    Group(
        title="read Redis",
        bar=6.5,
        library="import redis",
        commands=(
            *("list", "list --json", "show job1", "show job1 --json", "cancel unknown"),
            *("retry unknown", "retry --failed", "orphans", "migrate", "keys list"),
        ),
    ),
    Group(
        title="validate inputs with pydantic",
        bar=8.5,
        library="from pydantic import BaseModel, TypeAdapter, AfterValidator",
        commands=(f"{SUBMIT} --dry-run", "submit owner/app --unchecked a=1 --dry-run"),
    ),
    Group(
        title="send messages with Celery, or try everything",
        bar=None,
        library="import celery, redis, kombu.connection",
        commands=(SUBMIT, "check"),
    ),
)


def run(arguments: Sequence[str], environ: Mapping[str, str], directory: Path) -> float:
    """Return the processor time of one run of Python, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(
    programs: Mapping[str, Sequence[str]], environ: Mapping[str, str], rounds: int
) -> Mapping[str, float]:
    """Return the least time of each program: what else the machine does only adds."""
    times: dict[str, float] = {}
    for _ in range(rounds):
        for name, arguments in programs.items():
            times[name] = min(run(arguments, environ, ROOT), times.get(name, float("inf")))
    return times


def print_group(group: Group, times: Mapping[str, float]) -> bool:
    """Print a line for each command; return whether one misses the bar."""
    sys.stdout.write(f"\n{group.title}\n")
    missed = False
    for name in ([group.library] if group.library else []) + list(group.commands):
        ratio = times[name] / times[UNIT]
        late = name != group.library and group.bar is not None and ratio > group.bar
        missed |= late
        bar = "" if group.bar is None or name == group.library else f"{group.bar:>6.1f}"
        note = " (alone)" if name == group.library else " MISSED" * late
        sys.stdout.write(f"  {times[name]:.3f} s {ratio:>6.2f}{bar:>6}  {name}{note}\n")
    return missed


def against(commit: str, rounds: int) -> int:
    """Compare `--version` with that of an older commit; return 1 if it misses the bar."""
    with tempfile.TemporaryDirectory(prefix="cli-start-") as name:
        old = checkout(commit, Path(name))
        pairs = [(run(VERSION, {}, ROOT), run(VERSION, {}, old)) for _ in range(rounds)]
    now, before = (min(times) for times in zip(*pairs, strict=True))
    ratio = now / before
    sys.stdout.write(f"{now:.3f} s, {before:.3f} s at {commit}: {ratio:.3f} of {BAR_AGAINST}\n")
    return int(ratio > BAR_AGAINST)


def checkout(commit: str, directory: Path) -> Path:
    """Write the files of a commit into a directory and return it."""
    archive = subprocess.run(
        ["git", "archive", commit, "webhook", "worker"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    return directory


def main() -> int:
    """Print the time of each command; return 1 if one of them misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--against", metavar="COMMIT", help="an older commit, such as c276268")
    arguments = parser.parse_args()
    if arguments.against:
        return against(arguments.against, arguments.rounds)
    programs: dict[str, Sequence[str]] = {UNIT: ("-c", UNIT)}
    for group in GROUPS:
        programs |= {group.library: ("-c", group.library)} if group.library else {}
        programs |= {each: ("-m", "worker", *each.split()) for each in group.commands}
    with tempfile.TemporaryDirectory(prefix="cli-start-") as name:
        directory = Path(name)
        with RedisServer.start(directory) as server:
            environ = {
                **receiver_environment(server.url, "https://127.0.0.1:9/keys"),
                "FAL_KEY": "a:b",
                "FAL_RUN_HOST": "127.0.0.1:9",
                "FALHOOK_FAL_API_HOST": "127.0.0.1:9",
                "FAL_REST_HOST": "127.0.0.1:9",
                "FALHOOK_STORAGE_URL": str(directory / "storage"),
            }
            run(programs[SUBMIT], environ, ROOT)
            times = measure(programs, environ, arguments.rounds)
    sys.stdout.write(f"{times[UNIT]:.3f} s   1.00  {UNIT} (alone)\n")
    missed = [group for group in GROUPS if print_group(group, times)]
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
