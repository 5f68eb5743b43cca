"""The settings that the local stack takes from its shell."""

import re

import pytest

from infra.local.environment import KEPT_SETTINGS, remove_deployment_settings
from tests import ROOT
from worker.settings.settings import Settings

ENV_EXAMPLE = ROOT / "infra" / "env.example"
OTHER_VARIABLES = {
    "FAL_RUN_HOST",
    "FAL_QUEUE_RUN_HOST",
    "FAL_KEY_SECRET",
    "CELERY_BROKER_URL",
    "CELERY_CONFIG_MODULE",
    "FALHOOK_API_URL",
    "FALHOOK_API_KEY",
}


def deployment() -> dict[str, str]:
    """A shell with every setting, and further variables that fal-client and Celery read."""
    names = re.findall(r"^#?(\w+)=", ENV_EXAMPLE.read_text(), re.MULTILINE)
    return {**dict.fromkeys((*names, *OTHER_VARIABLES), "real"), "HOME": "/home/me"}


def test_addresses_secrets_and_storage_are_removed() -> None:
    """Only settings of inputs and outputs are kept, and REDIS_URL, which is checked later."""
    environ = deployment()
    remove_deployment_settings(environ)
    assert {*KEPT_SETTINGS, "REDIS_URL", "HOME"} == set(environ)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://127.0.0.1:4318/v1/traces", True),
        ("http://localhost:4318/v1/traces", True),
        ("http://collector:4318/v1/traces", False),
        ("http://localhost.example.com/v1/traces", False),
        ("", False),
    ],
)
def test_only_a_collector_on_this_machine_is_kept(url: str, *, kept: bool) -> None:
    """Traces of simulated jobs go to nobody's deployment."""
    environ = {"FALHOOK_TRACES_URL": url}
    remove_deployment_settings(environ, keep=())
    assert kept == ("FALHOOK_TRACES_URL" in environ)


def test_kept_names_are_settings() -> None:
    """Every kept name is a setting, and none holds an address of the deployment."""
    known = {str(f.alias) for f in Settings.model_fields.values()}
    assert set() == KEPT_SETTINGS - known
    words = ("KEY", "SECRET", "HOST", "URL", "USER", "PORT")
    kept = {name for name in KEPT_SETTINGS if any(word in name for word in words)}
    assert {"FALHOOK_C2PA_KEY"} == kept


def test_the_demo_keeps_no_setting() -> None:
    """The demo does not depend on the shell's settings."""
    environ = deployment()
    remove_deployment_settings(environ, keep=())
    assert {"REDIS_URL", "HOME"} == set(environ)
