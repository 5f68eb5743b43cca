"""The secret of a stack, kept with its data: open jobs have callback addresses made with it."""

import secrets
from pathlib import Path


def kept_secret(directory: Path) -> str:
    """Return the secret in `directory`; the first call makes it, for the owner alone to read."""
    path = directory / "secret"
    if not path.exists():
        draft = path.with_name("secret.draft")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        draft.replace(path)
    return path.read_text()
