"""`python -m infra.local demo | up`: what `make demo` and `make local` run."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from types import FrameType

from infra.local import demo
from infra.local.procfile import console, load_procfile
from infra.local.redis_server import RedisNotStarted
from infra.local.simulation import SimulationNotStarted
from infra.local.stack import ROOT, StackNotReady, own_settings, stack
from infra.local.supervisor import ProcessRefused

FAILURES = (
    RedisNotStarted,
    SimulationNotStarted,
    StackNotReady,
    ProcessRefused,
    subprocess.CalledProcessError,
)


def up() -> int:
    """Run the whole stack until Ctrl-C, its settings in var/local/env for other processes."""
    directory = ROOT / "var" / "local"
    write = console([*load_procfile(ROOT / "Procfile"), "fal"], sys.stdout)
    options = ("--media-cache", str(ROOT / "var" / "media-cache"))
    with stack(directory, write, fal_options=options) as running:
        lines = (f"export {n}={shlex.quote(v)}\n" for n, v in own_settings(running).items())
        (directory / "env").write_text("".join(lines))
        sys.stdout.write(
            f"\nThe stack runs. In another terminal:\n\n"
            f"    source {(directory / 'env').relative_to(ROOT)}\n"
            f"    .venv/bin/falhook submit fal-ai/kling-video/v2.1/master/text-to-video "
            f'--prompt "A red fox in the snow" --watch\n\n'
            f"What the simulated fal can be asked to do wrong: curl -k {running.fal.url}/\n"
            f"Ctrl-C ends it all.\n\n"
        )
        sys.stdout.flush()
        running.supervisor.wait()
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the verb; 130 after Ctrl-C or SIGTERM, 2 for what the caller can put right."""
    verbs = {"demo": demo.main, "up": up}
    verb = verbs.get(" ".join(sys.argv[1:]))
    if verb is None:
        sys.stderr.write(f"usage: python -m infra.local {' | '.join(verbs)}\n")
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return verb()
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return 130
    except FAILURES as failure:
        sys.stderr.write(f"{failure}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
