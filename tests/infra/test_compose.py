"""infra/compose.yml agrees with the Procfile, the settings and the longest steps."""

import re
from typing import Any

import pytest

from tests import ROOT
from tests.factories.deployments import commands, document, longest_steps, setting_names

SERVICES: dict[str, dict[str, Any]] = document(ROOT / "infra" / "compose.yml")["services"]


def test_every_process_is_a_service() -> None:
    """Each line of the Procfile is a service with its command; the only other one is Redis."""
    ours = {name: each["command"] for name, each in SERVICES.items() if name != "redis"}
    assert commands() == ours


@pytest.mark.parametrize("name", commands())
def test_a_service_is_read_only(name: str) -> None:
    """None has a capability, may gain one, or writes to its root."""
    service = SERVICES[name]
    assert (True, ["ALL"], ["no-new-privileges:true"]) == (
        service["read_only"],
        service["cap_drop"],
        service["security_opt"],
    )


@pytest.mark.parametrize("name", commands())
def test_a_service_ends_its_step(name: str) -> None:
    """It is stopped only after the longest that it may take for what it has begun."""
    assert longest_steps()[name] < int(SERVICES[name]["stop_grace_period"].removesuffix("s"))


@pytest.mark.parametrize("name", sorted(commands().keys() - {"web", "api", "metrics"}))
def test_a_service_without_a_port_has_a_probe(name: str) -> None:
    """It asks a file in memory."""
    assert "/run/falhook" in SERVICES[name]["tmpfs"]
    assert ["CMD", "python", "-m", "worker.liveness"] == SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", commands())
def test_its_variables_are_settings(name: str) -> None:
    """Each variable that it gets is a setting, and so is each that it is made from."""
    given = SERVICES[name]["environment"]
    used = {each for value in given.values() for each in re.findall(r"\$\{(\w+)", value)}
    assert set() == (given.keys() | used) - setting_names()


def test_the_public_one_has_no_key_of_fal() -> None:
    """The receiver gets its variables one by one, and no key of fal's among them."""
    assert "env_file" not in SERVICES["web"]
    assert "FAL_KEY" not in SERVICES["web"]["environment"]
