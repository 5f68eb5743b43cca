"""The manifests agree with the Procfile, the settings and the longest steps, in every overlay."""

import re

import pytest

from tests import ROOT
from tests.factories.deployments import commands, longest_steps, setting_names
from tests.infra.kubernetes.rendering import (
    OVERLAYS,
    Manifest,
    container,
    deployments,
    needs_kubectl,
    of_kind,
    pod,
    rendered,
    selects,
)

pytestmark = [needs_kubectl, pytest.mark.parametrize("overlay", OVERLAYS)]


def test_every_process_is_a_deployment(overlay: str) -> None:
    """Each line of the Procfile is one, with its command, to which -c may be added."""
    assert commands().keys() == deployments(overlay).keys()
    for name, command in commands().items():
        found = container(overlay, name)
        assert command == found["command"]
        assert re.fullmatch(r"(-c \d+)?", " ".join(found.get("args", ())))


def test_pods_cannot_write_or_gain_rights(overlay: str) -> None:
    """Each runs as 10001 with a root that is read-only, no capability and no token."""
    for name in commands():
        spec, security = pod(overlay, name), container(overlay, name)["securityContext"]
        assert (10001, True, "RuntimeDefault", False) == (
            spec["securityContext"]["runAsUser"],
            spec["securityContext"]["runAsNonRoot"],
            spec["securityContext"]["seccompProfile"]["type"],
            spec["automountServiceAccountToken"],
        )
        expected = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert expected == security
        mounted = [each["mountPath"] for each in container(overlay, name)["volumeMounts"]]
        assert {"/tmp"} == set(mounted) - {"/run/falhook"}


def test_pods_have_bounds(overlay: str) -> None:
    """Each asks for processors and memory, and has a limit of memory and of temporary disk."""
    for name in commands():
        resources = container(overlay, name)["resources"]
        assert {"cpu", "memory"} == resources["requests"].keys()
        assert {"memory"} == resources["limits"].keys()
        assert all(each["emptyDir"]["sizeLimit"] for each in pod(overlay, name)["volumes"])


def test_pods_end_their_step(overlay: str) -> None:
    """Each is killed only after the longest that it may take for what it has begun."""
    for name, seconds in longest_steps().items():
        before = container(overlay, name).get("lifecycle", {}).get("preStop", {}).get("sleep", {})
        grace = pod(overlay, name)["terminationGracePeriodSeconds"]
        assert before.get("seconds", 0) + seconds < grace, name


def test_servers_have_probes(overlay: str) -> None:
    """Those that serve have all three, and only the first asks for Redis and the broker."""
    for name in ("web", "api"):
        found = container(overlay, name)
        asked = ("startupProbe", "readinessProbe", "livenessProbe")
        paths = [found[each]["httpGet"]["path"] for each in asked]
        assert ["/readyz", "/healthz", "/healthz"] == paths


def test_processes_without_a_port_have_probes(overlay: str) -> None:
    """Each asks a file in memory; only readiness asks more, and none restarts it for that."""
    probe = ["python", "-m", "worker.liveness"]
    for name in commands().keys() - {"web", "api", "metrics"}:
        found = container(overlay, name)
        asked = ("startupProbe", "livenessProbe", "readinessProbe")
        commands_asked = [found[each]["exec"]["command"] for each in asked]
        assert [probe, probe, [*probe, "--ready"]] == commands_asked, name
        [volume] = [each for each in pod(overlay, name)["volumes"] if each["name"] == "beats"]
        assert "Memory" == volume["emptyDir"]["medium"]
        assert {"name": "beats", "mountPath": "/run/falhook"} in found["volumeMounts"]


def test_variables_are_settings(overlay: str) -> None:
    """Each variable of ours is a documented setting."""
    given = {
        each["name"] for name in commands() for each in container(overlay, name).get("env", ())
    }
    for settings in of_kind(overlay, "ConfigMap"):
        given |= settings["data"].keys()
    assert set() == given - setting_names()


def test_the_public_one_has_no_key_of_fal(overlay: str) -> None:
    """The receiver gets three secrets by name, and not all of them."""
    receiver = container(overlay, "web")
    assert ["configMapRef"] == [key for each in receiver["envFrom"] for key in each]
    names = {each["valueFrom"]["secretKeyRef"]["key"] for each in receiver["env"]}
    assert {"REDIS_URL", "FALHOOK_SECRET", "FALHOOK_BROKER_URL"} == names


def test_selectors_match_pods(overlay: str) -> None:
    """Whatever selects pods selects some, and budgets and services exactly one kind."""
    pods = {name: spec["template"]["metadata"]["labels"] for name, spec in _templates(overlay)}
    for kind in ("PodDisruptionBudget", "Service"):
        for each in of_kind(overlay, kind):
            selector = each["spec"]["selector"]
            wanted = selector if kind == "PodDisruptionBudget" else {"matchLabels": selector}
            found = [name for name, labels in pods.items() if selects(wanted, labels)]
            assert [each["metadata"]["name"]] == found
    for policy in of_kind(overlay, "NetworkPolicy"):
        assert any(selects(policy["spec"]["podSelector"], labels) for labels in pods.values())
    budgets = {each["metadata"]["name"] for each in of_kind(overlay, "PodDisruptionBudget")}
    assert commands().keys() == budgets


def test_nothing_else_may_be_reached(overlay: str) -> None:
    """One policy denies all that no other allows, and only servers are reachable."""
    found = of_kind(overlay, "NetworkPolicy")
    policies = {each["metadata"]["name"]: each["spec"] for each in found}
    assert {"Ingress", "Egress"} == set(policies["nothing"]["policyTypes"])
    assert not {"ingress", "egress"} & policies["nothing"].keys()
    open_to = {name for name, spec in policies.items() if spec.get("ingress")}
    assert {"web", "api", "metrics", "process-metrics"} == open_to - {"redis-server", "scale"}
    redis = policies["redis"]["egress"]
    assert 6379 in [port["port"] for rule in redis for port in rule["ports"]]


@pytest.mark.parametrize(
    ("name", "ports"),
    [
        ("web", {53, 443, 6379}),
        ("api", {53, 443, 6379}),
        ("submit", {53, 443, 4318, 6379}),
        ("media", {53, 443, 4318, 6379}),
        ("notify", {53, 443, 4318, 6379}),
        ("metrics", {53, 6379}),
        ("beat", {53, 6379}),
    ],
)
def test_a_process_may_reach_what_it_needs(overlay: str, name: str, ports: set[int]) -> None:
    """Names, fal and the storage, a collector of traces, Redis; a broker or sentinels if any."""
    labels = deployments(overlay)[name]["template"]["metadata"]["labels"]
    allowed = {
        port["port"]
        for policy in of_kind(overlay, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get("egress", ())
        for port in rule["ports"]
    }
    assert ports == allowed - {5671, 5672, 26379}


def test_references_lead_somewhere(overlay: str) -> None:
    """Each object is named once, and each map and autoscaled object that is named exists."""
    names = [(each["kind"], each["metadata"]["name"]) for each in rendered(overlay)]
    assert len(names) == len(set(names))
    for name in commands():
        for source in container(overlay, name)["envFrom"]:
            if "configMapRef" in source:
                assert ("ConfigMap", source["configMapRef"]["name"]) in names
    for each in of_kind(overlay, "HorizontalPodAutoscaler"):
        assert ("Deployment", each["spec"]["scaleTargetRef"]["name"]) in names


def test_strict_schemas_accept_them(overlay: str) -> None:
    """Every object of Kubernetes has only fields that its schema knows, of their types."""
    validator = pytest.importorskip("kubernetes_validate")
    for each in rendered(overlay):
        if "keda" not in each["apiVersion"]:
            validator.validate(each, "1.30", strict=True)


def _templates(overlay: str) -> list[tuple[str, Manifest]]:
    kinds = ("Deployment", "StatefulSet")
    return [
        (each["metadata"]["name"], each["spec"])
        for each in rendered(overlay)
        if each["kind"] in kinds
    ]


def test_redis_has_the_values_of_the_file(overlay: str) -> None:
    """A Redis in the cluster is started with every value of infra/redis.conf."""
    text = (ROOT / "infra" / "redis.conf").read_text()
    wanted = dict(re.findall(r'^([a-z-]+) "?([^"\n]*)', text, re.MULTILINE))
    # With a password it may be reached from the cluster.
    del wanted["protected-mode"]
    for each in of_kind(overlay, "StatefulSet"):
        [server] = each["spec"]["template"]["spec"]["containers"]
        names, values = server["args"][::2], server["args"][1::2]
        given = dict(zip([name.removeprefix("--") for name in names], values, strict=True))
        assert wanted.items() <= given.items()
        assert "requirepass" in given
