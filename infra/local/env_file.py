"""The settings of a running stack, in a file for other shells to source."""

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.local.environment import SOURCED, is_deployment_setting


@contextmanager
def env_file(path: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Write `settings` to `path` while the block runs; only the owner can read the file.

    A shell that sources it also finds `falhook`, after the programs that it found before.
    A stack started in such a shell recognises these settings: `remove_deployment_settings`. The
    file is removed afterwards, since its addresses no longer work. A file that another stack
    has written there in the meantime is kept.
    """
    marks = {
        SOURCED + name: value for name, value in settings.items() if not is_deployment_setting(name)
    }
    exported = {**settings, **marks}
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in exported.items())
    # Last: such a shell may run other programs, whose python must stay the one that it was.
    text += f'export PATH="$PATH":{shlex.quote(str(Path(sys.executable).parent))}\n'
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    try:
        draft.write_text(text)
        draft.replace(path)
        yield
    finally:
        draft.unlink(missing_ok=True)
        if path.exists() and path.read_text() == text:
            path.unlink()
