"""The file in which a process notes its last beat, and what a probe makes of it.

A probe starts every few seconds, so this module imports nothing that Python has not loaded. Times
are seconds of the clock that all processes of a machine share, and that nobody sets. The file has a
line for each fact: `loop TIME`, `broker TIME`, `redis TIME`, `stopping`, and for each thread of the
pool that has a message `step TASK SINCE MOST`.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Seconds between two turns of a main loop from which it is stuck. Its longest pauses are tries to
# connect, of a few seconds each.
MOST_SILENCE = 60.0
# Seconds since which broker and Redis must have answered.
MOST_AWAY = 30.0
SUFFIX = ".beat"

# Task, since when, and for how many seconds at most: see `Beats.begin`.
Step = tuple[str, float, float]


class Beat:
    """The last turn of a main loop; None for what has not answered yet.

    `stopping`: the process ends once its steps are over, and its loop does not turn any more.
    """

    def __init__(
        self,
        *,
        loop: float,
        broker: float | None = None,
        redis: float | None = None,
        stopping: bool = False,
        steps: "Sequence[Step]" = (),
    ) -> None:
        self.loop, self.broker, self.redis = loop, broker, redis
        self.stopping, self.steps = stopping, steps

    def faults(self, now: float) -> "Iterator[str]":
        """Yield why the process should be started again."""
        silence = now - self.loop
        if silence > MOST_SILENCE and not self.stopping:
            yield f"its main loop has not turned for {silence:.0f} s"
        yield from overdue(self.steps, now)

    def lacks(self, now: float) -> "Iterator[str]":
        """Yield why the process cannot work at present."""
        for name, seen in (("the broker", self.broker), ("Redis", self.redis)):
            if seen is None:
                yield f"{name} has not answered yet"
            elif now - seen > MOST_AWAY:
                yield f"{name} has not answered for {now - seen:.0f} s"


def overdue(steps: "Sequence[Step]", now: float) -> "Iterator[str]":
    """Yield each step that takes longer than it may."""
    for task, since, most in steps:
        if (seconds := now - since) > most:
            yield f"a thread has been in {task} for {seconds:.0f} s, more than {most:.0f}"


def path_of(directory: str, process: str) -> str:
    """Return the file of a process."""
    return os.path.join(directory, process.replace("/", "_") + SUFFIX)  # noqa: PTH118  # pathlib is slow to import


def write(path: str, beat: Beat) -> None:
    """Write the beat; a reader finds this one or the one before. Raises OSError."""
    times = {"loop": beat.loop, "broker": beat.broker, "redis": beat.redis}
    lines = [f"{name} {at}\n" for name, at in times.items() if at is not None]
    lines += ["stopping\n"] * beat.stopping
    lines += [f"step {task} {since} {most}\n" for task, since, most in beat.steps]
    new = f"{path}.new"
    with open(new, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.writelines(lines)
    os.replace(new, path)  # noqa: PTH105


def read_all(directory: str) -> "Iterator[tuple[str, Beat | None]]":
    """Yield each process with its last beat; None if its file is not one. Raises OSError."""
    for name in sorted(os.listdir(directory)):  # noqa: PTH208
        if name.endswith(SUFFIX):
            try:
                with open(os.path.join(directory, name), encoding="utf-8") as file:  # noqa: PTH118, PTH123
                    yield name.removesuffix(SUFFIX), _read(file.read())
            except FileNotFoundError:  # the process has ended meanwhile
                continue


def _read(text: str) -> Beat | None:
    lines = [line.split() for line in text.splitlines()]
    try:
        times = {words[0]: float(words[1]) for words in lines if len(words) == 2}  # noqa: PLR2004
        steps = [
            (task, float(since), float(most))
            for _, task, since, most in (words for words in lines if words[0] == "step")
        ]
        return Beat(
            loop=times["loop"],
            broker=times.get("broker"),
            redis=times.get("redis"),
            stopping=["stopping"] in lines,
            steps=steps,
        )
    except (ValueError, LookupError):
        return None
