"""The manifests as `kubectl apply -k` would send them; no cluster is asked."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests import ROOT
from tests.factories.deployments import documents

FOLDER = ROOT / "infra" / "kubernetes"
OVERLAYS = tuple(sorted(path.name for path in (FOLDER / "overlays").iterdir()))
needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")

Manifest = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    """Return the objects of an overlay."""
    return tuple(documents(text(overlay)))


@cache
def text(overlay: str) -> str:
    """Return the YAML of an overlay."""
    command = ["kubectl", "kustomize", str(FOLDER / "overlays" / overlay)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def of_kind(overlay: str, kind: str) -> Iterator[Manifest]:
    """Yield the objects of this kind."""
    return (each for each in rendered(overlay) if each["kind"] == kind)


def deployments(overlay: str) -> dict[str, Manifest]:
    """Return the specification of each Deployment by its name."""
    return {each["metadata"]["name"]: each["spec"] for each in of_kind(overlay, "Deployment")}


def pod(overlay: str, name: str) -> Manifest:
    """Return the specification of the pods of a Deployment."""
    found: Manifest = deployments(overlay)[name]["template"]["spec"]
    return found


def container(overlay: str, name: str) -> Manifest:
    """Return the one container of the pods of a Deployment."""
    [found] = pod(overlay, name)["containers"]
    return dict(found)


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Return whether a selector matches these labels."""
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    among = all(
        labels.get(each["key"], "") in each["values"]
        for each in selector.get("matchExpressions", ())
        if each["operator"] == "In"
    )
    return bool(exact and among)
