"""The objects of KEDA: a pool grows by the work that the API counts for it."""

import shlex
from typing import Any

import pytest

from api.models.scale import Pool
from tests.infra.kubernetes.rendering import container, deployments, needs_kubectl, of_kind

pytestmark = needs_kubectl
# https://keda.sh/docs/2.17/reference/scaledobject-spec/
FIELDS = {
    "scaleTargetRef",
    "minReplicaCount",
    "maxReplicaCount",
    "pollingInterval",
    "advanced",
    "triggers",
}
# https://keda.sh/docs/2.17/scalers/metrics-api/
TRIGGER = {"url", "valueLocation", "targetValue", "authMode"}


@pytest.fixture(params=list(Pool))
def scaled(request: pytest.FixtureRequest) -> tuple[Pool, dict[str, Any]]:
    """A pool, and its ScaledObject."""
    found = {each["metadata"]["name"]: each["spec"] for each in of_kind("keda", "ScaledObject")}
    assert set(found) == set(Pool)
    return request.param, found[request.param]


def test_it_has_known_fields(scaled: tuple[Pool, dict[str, Any]]) -> None:
    """Each field is one of KEDA's, and the Deployment leaves the number of pods to it."""
    pool, spec = scaled
    [trigger] = spec["triggers"]
    assert FIELDS == spec.keys()
    assert {"type", "metadata", "authenticationRef"} == trigger.keys()
    assert ("metrics-api", TRIGGER) == (trigger["type"], trigger["metadata"].keys())
    assert pool == spec["scaleTargetRef"]["name"]
    assert "replicas" not in deployments("keda")[pool]
    assert {"submit", "callbacks"} <= {
        name for name, each in deployments("keda").items() if "replicas" in each
    }


def test_it_asks_for_its_pool(scaled: tuple[Pool, dict[str, Any]]) -> None:
    """The address is the service of the API; the target is what one worker does at once."""
    pool, spec = scaled
    [trigger] = spec["triggers"]
    worker = container("keda", pool)
    words = [*worker["command"], *worker.get("args", ())]
    assert (f"http://api.falhook/v1/scale?pool={pool}", "jobs", "bearer") == (
        trigger["metadata"]["url"],
        trigger["metadata"]["valueLocation"],
        trigger["metadata"]["authMode"],
    )
    assert words[words.index("-c") + 1] == trigger["metadata"]["targetValue"], shlex.join(words)


def test_it_authenticates(scaled: tuple[Pool, dict[str, Any]]) -> None:
    """The token comes from a secret."""
    _, spec = scaled
    [authentication] = of_kind("keda", "TriggerAuthentication")
    assert spec["triggers"][0]["authenticationRef"] == {"name": authentication["metadata"]["name"]}
    [source] = authentication["spec"]["secretTargetRef"]
    assert {"parameter", "name", "key"} == source.keys()
    assert "token" == source["parameter"]
