"""The rules and the dashboard name declared metrics, and Prometheus accepts and tests the rules."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

import pytest

from tests import ROOT
from tests.factories.deployments import document
from worker.metrics.manifest import manifest

FOLDER = ROOT / "infra" / "monitoring"
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
RULES = {each["alert"]: each for each in document(FOLDER / "rules.yml")["groups"][0]["rules"]}


def expressions() -> Sequence[str]:
    """Return the queries of the dashboard."""
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def metrics(expression: str) -> set[str]:
    """Return the metrics that a query names."""
    names = re.findall(r"\b(?:falhook|process)_\w+", re.sub(r'"[^"]*"', "", expression))
    return {re.sub(r"(_seconds|_size)_(bucket|sum|count)$", r"\1", name) for name in names}


def declared() -> Mapping[str, str]:
    """Return the name of each metric by the one that queries have for it."""
    return {metric.series: metric.name for metric in manifest().values()}


@pytest.mark.parametrize("expression", [*(each["expr"] for each in RULES.values()), *expressions()])
def test_queries_name_declared_metrics(expression: str) -> None:
    """Each rule and each panel asks for metrics of the manifest, with labels that they have."""
    assert metrics(expression) <= declared().keys()
    for name, labels in re.findall(r"(\w+)\{([^}]*)\}", expression):
        given = set(re.findall(r"(\w+)(?:=|!)", labels))
        about = manifest().get(declared().get(name, ""))
        assert given <= (about.labels.keys() if about else {"job"}), name


def test_the_manifest_names_the_alerts() -> None:
    """Each metric has the alerts whose rules ask for it, and no other."""
    used = {
        name: {alert for alert, rule in RULES.items() if series in metrics(rule["expr"])}
        for series, name in declared().items()
    }
    assert used == {name: set(about.alert) for name, about in manifest().items()}


def test_every_alert_is_tested() -> None:
    """Each has a test in which it fires once, and is quiet before and after."""
    tests = document(FOLDER / "tests" / "rules.yml")["tests"]
    fires = {
        each["name"]: [bool(when["exp_alerts"]) for when in each["alert_rule_test"]]
        for each in tests
    }
    assert {name: [False, True, False] for name in RULES} == fires


@needs_promtool
@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules.yml"),
        ("test", "rules", "tests/rules.yml"),
    ],
)
def test_prometheus_accepts_them(command: Sequence[str]) -> None:
    """promtool has nothing to say, and every alert fires, stays quiet and ends as its test says."""
    done = subprocess.run(
        ["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=60
    )
    assert 0 == done.returncode, done.stdout + done.stderr
