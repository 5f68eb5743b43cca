"""What the tests of `falhook check` share."""

import json
from collections.abc import Callable, Iterator, Mapping

import pytest
from click.testing import CliRunner, Result

from tests.bench.programs import free_port
from tests.factories.callbacks import Host, host
from worker.cli.check.flags import check
from worker.cli.check.local import PROBES

Tried = Callable[..., tuple[str, str]]


@pytest.fixture
def key_host() -> Iterator[Host]:
    """fal's key host."""
    with host() as served:
        yield served


@pytest.fixture
def tried(
    ready_environment: dict[str, str], key_host: Host, monkeypatch: pytest.MonkeyPatch
) -> Tried:
    """Run one probe with changed settings, and return its status and sentence."""
    # No receiver listens at this port.
    environ = {
        **ready_environment,
        "FALHOOK_JWKS_URL": key_host.url,
        "PORT": str(free_port()),
    }

    def tried(name: str, **changes: str) -> tuple[str, str]:
        monkeypatch.setattr("worker.cli.check.command.PROBES", {name: PROBES[name]})
        done: Result = CliRunner().invoke(check, ["--json"], env={**environ, **changes})
        finding: Mapping[str, object] = json.loads(done.stdout)[name]
        status = "fails" if not finding["ok"] else "warns" if finding["warns"] else "ok"
        assert (1 if status == "fails" else 0) == done.exit_code
        return status, str(finding["detail"])

    return tried
