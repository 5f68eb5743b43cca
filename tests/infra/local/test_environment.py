"""What the local stack takes over from the shell that it is started in."""

from __future__ import annotations

import re

from infra.local.environment import MAKING, forget_deployment
from tests import ROOT
from worker.settings import Settings

ENV_EXAMPLE = ROOT / "infra" / "env.example"
BEYOND_SETTINGS = {
    "FAL_RUN_HOST",
    "FAL_QUEUE_RUN_HOST",
    "FAL_KEY_SECRET",
    "CELERY_BROKER_URL",
    "CELERY_CONFIG_MODULE",
}


def deployment() -> dict[str, str]:
    """A shell with every setting, and what fal-client and Celery read beside them."""
    names = re.findall(r"^#?(\w+)=", ENV_EXAMPLE.read_text(), re.MULTILINE)
    return {**dict.fromkeys((*names, *BEYOND_SETTINGS), "real"), "HOME": "/home/me"}


def test_addresses_secrets_and_places_stay_behind() -> None:
    """Of all settings those stay that say what is made, and REDIS_URL, which is looked into."""
    environ = deployment()
    forget_deployment(environ)
    assert {*MAKING, "REDIS_URL", "HOME"} == set(environ)


def test_what_is_kept_are_settings() -> None:
    """Every name that is kept is one of a setting, and none holds an address of the deployment."""
    known = {str(f.alias) for f in Settings.model_fields.values()}
    assert set() == MAKING - known
    words = ("KEY", "SECRET", "HOST", "URL", "USER", "PORT")
    left = {name for name in MAKING if any(word in name for word in words)}
    assert {"FALHOOK_C2PA_KEY"} == left


def test_the_demo_keeps_none() -> None:
    """The demo is the same for everybody."""
    environ = deployment()
    forget_deployment(environ, keep=())
    assert {"REDIS_URL", "HOME"} == set(environ)
