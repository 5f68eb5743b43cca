"""The parent of several processes: when it replaces one, and when it gives up."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from webhook.processes.parent import REFUSED, Parent, Pauses

# A child that ends with its parent's pipe.
STAYS = "import sys; sys.stdin.read()"


def child(script: str, *arguments: str) -> list[str]:
    """Return the command of a child."""
    return [sys.executable, "-c", script, *arguments]


def run(commands: list[list[str]], tmp_path: Path, pauses: Pauses | None = None) -> int:
    """Run a parent until it ends."""

    async def main() -> int:
        return await Parent(commands, environ={}, metrics=tmp_path, pauses=pauses).run()

    return asyncio.run(main())


def test_a_refusal_ends_all(tmp_path: Path) -> None:
    """A process that refuses its settings is not tried again, and the others are stopped."""
    commands = [child("raise SystemExit(2)"), child(STAYS), child(STAYS)]
    assert REFUSED == run(commands, tmp_path)


def test_a_process_that_dies_at_once_is_tried_again(tmp_path: Path) -> None:
    """It is started again and again, here until it refuses."""
    counts = "import sys; f = open(sys.argv[1], 'a+'); f.write('x'); f.flush(); f.seek(0)"
    script = f"{counts}; sys.exit(2 if len(f.read()) == 3 else 1)"
    notes = tmp_path / "notes"
    began = time.monotonic()
    pauses = Pauses(first=0.1, longest=0.3)
    assert REFUSED == run([child(script, str(notes))], tmp_path, pauses)
    assert "xxx" == notes.read_text()
    assert 0.3 <= time.monotonic() - began


@pytest.mark.parametrize(
    ("previous", "ran", "pause"),
    [(0.0, 60.0, 0.0), (0.0, 0.1, 0.2), (0.2, 0.1, 0.4), (8.0, 0.1, 10.0), (10.0, 11.0, 0.0)],
)
def test_pauses_grow_until_a_process_stays(previous: float, ran: float, pause: float) -> None:
    """A process that ran is replaced at once; one that ends soon waits longer each time."""
    assert pause == Pauses().after(previous, ran)
