"""The secret of a stack."""

import stat
from pathlib import Path

from infra.local.secret import kept_secret


def test_a_secret_outlives_its_stack(tmp_path: Path) -> None:
    """Callbacks of open jobs are accepted after a restart; only the owner can read the file."""
    secret = kept_secret(tmp_path)
    assert 64 == len(secret)
    assert secret == kept_secret(tmp_path)
    assert 0o600 == stat.S_IMODE((tmp_path / "secret").stat().st_mode)
    assert ["secret"] == [path.name for path in tmp_path.iterdir()]
