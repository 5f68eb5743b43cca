"""`falhook check`: whether everything that a job needs is there, before one is paid for."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import click
from rich.text import Text

from webhook.log import scrub
from worker.cli.check.local import PROBES
from worker.cli.check.network import CheckWarning
from worker.cli.console import json_option, plain_console, print_json
from worker.cli.errors import CliError, handle_errors
from worker.errors import Failure
from worker.provenance import ProvenanceUnusable
from worker.settings import Settings
from worker.transcode.ffmpeg import FfmpegUnusable


class CheckStatus(StrEnum):
    """What came of a probe."""

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
    """What came of a probe, and what it tells."""

    word: CheckStatus
    detail: str

    def as_data(self) -> Mapping[str, object]:
        """As JSON has it: a warning is ok."""
        ok, warns = self.word is not CheckStatus.FAILS, self.word is CheckStatus.WARNS
        return {"ok": ok, "warns": warns, "detail": self.detail}


@click.command()
@json_option
@handle_errors
def check(as_json: bool) -> None:
    """Try what jobs need: settings, Redis, broker, workers, storage, ffmpeg, the receiver.

    Exit code 0 if all of it works, 1 if something does not; what it warns of is no failure.
    """
    settings = Settings.from_env()
    found = {name: _tried(probe, settings) for name, probe in PROBES.items()}
    if as_json:
        print_json({name: finding.as_data() for name, finding in found.items()})
    else:
        console = plain_console()
        for name, finding in found.items():
            word = (f"{finding.word:<5}", COLOURS[finding.word])
            told = Text.assemble(word, f"  {name:<10} {finding.detail}")
            console.print(told, soft_wrap=True)
    sys.exit(1 if CheckStatus.FAILS in {finding.word for finding in found.values()} else 0)


def _tried(probe: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(CheckStatus.OK, probe(settings))
    except CheckWarning as doubt:
        return Finding(CheckStatus.WARNS, str(doubt))
    except Failure as failure:
        return Finding(CheckStatus.FAILS, failure.sentence)
    except CliError as problem:
        return Finding(CheckStatus.FAILS, problem.message)
    except (FfmpegUnusable, ProvenanceUnusable, ValueError) as error:
        return Finding(CheckStatus.FAILS, str(error))
    except Exception as error:  # noqa: BLE001  # each library raises its own; the text is the answer
        return Finding(CheckStatus.FAILS, scrub(f"{type(error).__name__}: {error}"))
