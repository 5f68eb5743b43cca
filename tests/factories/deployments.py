"""What every deployment must agree with: the Procfile, the settings, the longest steps."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from infra.local.supervisor.procfile import load_procfile
from tests import ROOT
from webhook.server.config import configuration
from webhook.server.http_protocol import HttpLimits
from worker.cli.settings import env_example
from worker.fal.client import TIMEOUT
from worker.fal.download import DownloadLimits
from worker.notifications.sender import BUDGET
from worker.steps.uploads import UPLOAD_TIMEOUT
from worker.transcode.ffmpeg.limits import MOST_SECONDS


def commands() -> Mapping[str, list[str]]:
    """Return the words of each process's command, by its name."""
    return {
        name: shlex.split(command) for name, command in load_procfile(ROOT / "Procfile").items()
    }


def setting_names() -> frozenset[str]:
    """Return the name of every documented setting."""
    return frozenset(re.findall(r"^#?([A-Z_]+)=", env_example(), re.MULTILINE))


def longest_steps() -> Mapping[str, float]:
    """Return the seconds that each process may take for what it has begun when it is stopped."""
    answer = sum(part or 0 for part in (TIMEOUT.connect, TIMEOUT.write, TIMEOUT.read))
    served = configuration(_no_app, HttpLimits(connections=1)).timeout_graceful_shutdown or 0
    return {
        "web": served,
        "api": served,
        "submit": UPLOAD_TIMEOUT + answer,
        "callbacks": answer,
        "media": MOST_SECONDS,
        "publish": DownloadLimits(max_bytes=1).deadline,
        "notify": BUDGET,
        "metrics": served,
        "beat": 1.0,
    }


async def _no_app(_scope: object, _receive: object, _send: object) -> None:
    """Answer nothing: an application that is never called."""


def documents(text: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of a YAML file."""
    yield from YAML(typ="safe", pure=True).load_all(text)


def document(path: Path) -> dict[str, Any]:
    """Return the one document of a YAML file."""
    [found] = documents(path.read_text())
    return found
