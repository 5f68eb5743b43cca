"""`falhook check`: probe everything that a job needs, before one is paid for."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rich.text import Text

from webhook.log import scrub
from worker.cli.check.local import PROBES
from worker.cli.check.warning import CheckWarning
from worker.cli.console import plain_console, print_json
from worker.cli.errors import CliError
from worker.errors import ConfigurationError, Failure
from worker.settings.settings import Settings


class CheckStatus(StrEnum):
    """The result of a probe."""

    OK = "ok"
    WARNS = "warns"
    FAILS = "fails"


COLOURS: Mapping[CheckStatus, str] = {
    CheckStatus.OK: "green",
    CheckStatus.WARNS: "yellow",
    CheckStatus.FAILS: "red",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a probe and its sentence."""

    status: CheckStatus
    detail: str

    def as_data(self) -> Mapping[str, object]:
        """Return the finding for JSON output, where a warning counts as ok."""
        ok, warns = self.status is not CheckStatus.FAILS, self.status is CheckStatus.WARNS
        return {"ok": ok, "warns": warns, "detail": self.detail}


def run_check(*, as_json: bool) -> None:
    """Run every probe, print what each found, and exit with code 1 if one failed."""
    settings = Settings.from_env()
    findings = {name: _run_probe(probe, settings) for name, probe in PROBES.items()}
    if as_json:
        print_json({name: finding.as_data() for name, finding in findings.items()})
    else:
        console = plain_console()
        for name, finding in findings.items():
            status = (f"{finding.status:<5}", COLOURS[finding.status])
            line = Text.assemble(status, f"  {name:<10} {finding.detail}")
            console.print(line, soft_wrap=True)
    failed = any(finding.status is CheckStatus.FAILS for finding in findings.values())
    sys.exit(1 if failed else 0)


def _run_probe(probe: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(CheckStatus.OK, probe(settings))
    except CheckWarning as warning:
        return Finding(CheckStatus.WARNS, str(warning))
    except Failure as failure:
        return Finding(CheckStatus.FAILS, failure.sentence)
    except CliError as error:
        return Finding(CheckStatus.FAILS, error.message)
    except (ConfigurationError, ValueError) as error:
        return Finding(CheckStatus.FAILS, str(error))
    except Exception as error:  # noqa: BLE001  # each library raises its own; the text is the answer
        return Finding(CheckStatus.FAILS, scrub(f"{type(error).__name__}: {error}"))
