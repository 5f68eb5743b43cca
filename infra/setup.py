"""The installation of the locked requirements, with its progress: `python infra/setup.py`.

It runs before anything is installed, so it imports only the standard library.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
_STEP = 10  # packages for each line, where a line cannot be overwritten


def main() -> int:
    """Install the lock, then this checkout; return pip's exit code."""
    code = _pip("--require-hashes", "-r", str(LOCK))
    return code or _pip("--no-deps", "--no-build-isolation", "-e", str(ROOT))


def _pip(*arguments: str) -> int:
    command = [sys.executable, "-m", "pip", "install", "--progress-bar", "off", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout is not None
        lines, found = [], 0
        for line in pip.stdout:
            lines.append(line)
            if line.startswith("Collecting "):
                found += 1
                _count(f"{found} packages", last=found % _STEP == 0)
            elif line.startswith("Installing collected packages") and found:
                _count(f"{found} packages; unpacking them takes a minute\n", last=True)
    if pip.returncode:
        sys.stderr.write("\n" + "".join(lines[-20:]))
        sys.stderr.write(f"pip ended with exit code {pip.returncode}; run the same again.\n")
    return pip.returncode


def _count(text: str, *, last: bool) -> None:
    """Write over the line at a terminal; elsewhere write only lines marked as `last`."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K  {text}")
    elif last:
        sys.stdout.write(f"  {text.rstrip()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped; `make setup` installs the rest.\n")
        sys.exit(130)
