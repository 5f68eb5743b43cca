"""A key for the API of a stack, made by the command line as a person would make it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Its own name, so that a Redis that is used again has one such key.
_COMMAND = ("-m", "worker", "keys", "add", "local", "--scope", "admin", "--replace", "--json")
_SECONDS = 60.0


class KeyNotMade(RuntimeError):
    """`falhook keys add` failed; the message holds what it said."""


@contextmanager
def admin_key(environ: Mapping[str, str], cwd: Path) -> Iterator[Callable[[], str]]:
    """Make a key with the scope admin while the block runs; yield a function that waits for it.

    It revokes those of earlier stacks on the same Redis. The function returns the token, or raises
    KeyNotMade.
    """
    process = subprocess.Popen(
        (sys.executable, *_COMMAND),
        env=dict(environ),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield lambda: _token(process)
        finally:
            process.kill()


def _token(process: "subprocess.Popen[str]") -> str:
    try:
        output, errors = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise KeyNotMade(f"`falhook keys add` took more than {_SECONDS:.0f} s.") from None
    if process.returncode:
        raise KeyNotMade(f"No API key could be made: {errors.strip()}")
    return str(json.loads(output)["token"])
