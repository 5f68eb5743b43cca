"""What a process says when it cannot start: one sentence a fault, exit code 2."""

import sys
from collections.abc import Callable
from typing import TypeVar

from webhook.settings import SettingsError
from worker.errors import Failure
from worker.provenance import ProvenanceUnusable
from worker.transcode.ffmpeg import FfmpegUnusable

T = TypeVar("T")


def or_exit(build: Callable[[], T]) -> T:
    """What `build` makes; on a fault of the settings its sentences are printed and it exits."""
    try:
        return build()
    except (SettingsError, FfmpegUnusable, ProvenanceUnusable, ValueError) as error:
        sys.stderr.write(f"{error}\n")
    except Failure as failure:
        sys.stderr.write(f"{failure.sentence}\n")
    raise SystemExit(2)
