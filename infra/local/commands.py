"""The commands behind `make demo` and `make local`: `python -m infra.local demo | up`."""

import argparse
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from infra.local.api_key import KeyNotMade
from infra.local.console_link import console_link
from infra.local.demo import demo
from infra.local.env_file import env_file
from infra.local.environment import KEPT_SETTINGS, remove_deployment_settings
from infra.local.fal_process import SimulationEnded, SimulationNotStarted
from infra.local.logfile import Logfile
from infra.local.redis.binary import RedisNotStarted
from infra.local.run_directory import DirectoryUnusable, ensure_directory
from infra.local.screen import Screen, jobs_shown
from infra.local.stack import ROOT, Stack, StackNotReady, stack
from infra.local.supervisor.restart_policy import ProcessRefused
from infra.local.webhook_receiver import webhook_receiver

MEDIA_CACHE = ("--media-cache", str(ROOT / "var" / "media-cache"))
FAILURES = (
    DirectoryUnusable,
    KeyNotMade,
    RedisNotStarted,
    SimulationEnded,
    SimulationNotStarted,
    StackNotReady,
    ProcessRefused,
    subprocess.CalledProcessError,
)


def up(options: argparse.Namespace, fal_options: list[str]) -> int:
    """Run the whole stack until Ctrl-C; other processes find its settings in DIRECTORY/env."""
    directory: Path = ensure_directory(options.directory.resolve())
    screen = Screen(sys.stdout, directory / "storage" / "published")
    screen.say("Starting Redis, the simulated fal and the processes of the Procfile …")
    with (
        Logfile(directory / "stack.log") as log,
        stack(
            directory,
            log.write,
            restarts=lambda name, line: _restarted(log, screen, name, line),
            fal_options=(*MEDIA_CACHE, *fal_options),
        ) as running,
        env_file(directory / "env", running.settings),
        jobs_shown(running.settings["REDIS_URL"], screen, running.supervisor.request_stop),
        webhook_receiver(screen.say) as receiver,
    ):
        sys.stdout.write(_banner(running, log.path, receiver))
        sys.stdout.flush()
        running.supervisor.wait()
    return 0


def _restarted(log: Logfile, screen: Screen, name: str, line: bytes) -> None:
    log.write(name, line)
    screen.say(line.decode(errors="replace").rstrip())


def _banner(running: Stack, log: Path, receiver: str) -> str:
    return (
        f"\nThe stack is running. In another terminal, run:\n\n"
        f"    source {running.directory / 'env'}\n"
        f"    falhook submit fal-ai/kling-video/v2.1/master/text-to-video "
        f'--prompt "A red fox in the snow" --watch\n\n'
        f"Receiver:        {running.settings['FALHOOK_PUBLIC_URL']}\n"
        f"API:             {running.settings['FALHOOK_API_URL']} with the key $FALHOOK_API_KEY\n"
        f"API documents:   {running.settings['FALHOOK_API_URL']}/docs\n"
        f"Console:         {console_link(running.settings)}\n"
        f"                 signs in once; after that, with $FALHOOK_API_KEY\n"
        f"Simulated fal:   curl -k {running.fal.url}/ lists the failures that it can produce\n"
        f"Webhooks:        falhook endpoints add {receiver} tells a receiver that shows what came\n"
        f"Published files: {running.directory / 'storage' / 'published'}\n"
        f"Log:             tail -f {log}\n\n"
        f"Jobs appear below as they move. Press Ctrl-C to stop everything.\n\n"
    )


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # `timeout make local` and container engines signal the whole process group, then make signals
    # its child again. The second signal must not interrupt the shutdown that the first one began.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _replace_unprintable_characters() -> None:
    """Print a `?` for each character that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def main() -> int:
    """Run the command; return 130 after Ctrl-C or SIGTERM, 2 for an error the caller can fix."""
    _replace_unprintable_characters()
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("demo", help="run three jobs end to end and report how they ended")
    up_parser = verbs.add_parser(
        "up", help="run the whole stack; other options are passed to the simulated fal"
    )
    up_parser.add_argument(
        "--directory",
        type=Path,
        default=ROOT / "var" / "local",
        help="where the stack keeps its files",
    )
    options, rest = parser.parse_known_args()
    remove_deployment_settings(os.environ, keep=() if options.verb == "demo" else KEPT_SETTINGS)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return demo.main() if options.verb == "demo" else up(options, rest)
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return 130
    except FAILURES as failure:
        sys.stderr.write(f"{failure}\n")
        return 2
