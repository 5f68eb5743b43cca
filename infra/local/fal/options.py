"""The options of the simulated fal; apart from it, so that its help imports nothing else."""

import argparse
from pathlib import Path


def arguments() -> argparse.Namespace:
    """Return the options of the command line; print help, or an error with exit code 2."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.fal", description="Run a simulated fal until SIGINT or SIGTERM."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=0, help="port to listen on; 0 selects a free one")
    add("--name", default="localhost", help="host name in the URLs and the certificate")
    add("--directory", type=Path, help="directory of certificates and files (default: temporary)")
    add("--media-cache", type=Path, help="directory of generated clips (default: in --directory)")
    add("--key", help="API key to accept, id:secret (default: random)")
    add("--user-id", default="user-sim-0001", help="account that callbacks are signed for")
    add("--app", action="append", default=[], help="additional app OWNER/ALIAS; repeatable")
    add("--concurrency", type=int, default=40, help="maximum number of concurrent renders")
    add("--speed", type=_positive, default=1.0, help="how many times faster fal's time passes")
    add("--render-seconds", type=float, default=6.0, help="duration of a render in fal's time")
    add(
        "--first-patience",
        type=float,
        default=15.0,
        help="timeout of the first callback in real seconds",
    )
    add("--patience", type=float, default=120.0, help="timeout of each retry in real seconds")
    return parser.parse_args()


def _positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value
