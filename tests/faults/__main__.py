"""`make faults`: run jobs while parts fail at random, then print a table of the outcomes.

`make faults SEED=… JOBS=… MINUTES=…` reproduces and scales a run.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from infra.local.fal_process import SimulationEnded
from infra.local.supervisor.restart_policy import ProcessRefused
from tests.faults.run import StormPlan, run
from tests.faults.table import show


def main() -> int:
    """Run one storm. Return 0 if no job was lost, paid twice, published twice or left open.

    Return 2 if the stack ended meanwhile; stderr says which process ended it.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(100_000))
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--minutes", type=float, default=4.0, help="duration of the faults")
    parser.add_argument("--directory", type=Path, help="for logs and data; a new one by default")
    args = parser.parse_args()
    directory = args.directory or Path(tempfile.mkdtemp(prefix="falhook-faults-"))
    console = Console()
    console.print(f"seed {args.seed}; log of all processes: {directory / 'stack.log'}")
    plan = StormPlan(
        seed=args.seed,
        jobs=args.jobs,
        storm=args.minutes * 60,
        calm=4.0,
        deadline=60.0,
        patience=240.0 + args.jobs / 10,
    )
    try:
        return show(run(plan, directory), console)
    except (ProcessRefused, SimulationEnded) as error:
        sys.stderr.write(f"The stack ended, so nothing is judged. {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
