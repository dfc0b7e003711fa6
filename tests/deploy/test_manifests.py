"""The Kubernetes manifests: valid by the published schemas, and by a policy of our own."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamrnn.config.loading import load

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KINDS = {"ServiceAccount", "Service", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor"}
VERSIONS = ("1.31", "1.34")


def base() -> list[dict[str, Any]]:
    """The files as they are."""
    names = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text())["resources"]
    return [yaml.safe_load((FOLDER / "base" / name).read_text()) for name in names]


def rendered(folder: str) -> list[dict[str, Any]]:
    """What kustomize makes of a folder."""
    command = next(
        (words for words in (["kustomize", "build"], ["kubectl", "kustomize"]) if shutil.which(words[0])), None
    )
    if command is None:
        pytest.skip("neither kustomize nor kubectl on the PATH; install one (https://kubectl.docs.kubernetes.io)")
    done = subprocess.run([*command, str(FOLDER / folder)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def manifests(folder: str) -> list[dict[str, Any]]:
    return base() if folder == "files" else rendered(folder)


FOLDERS = pytest.mark.parametrize("folder", ["files", "base", "overlays/production"])


@FOLDERS
def test_nothing_is_missing(folder: str) -> None:
    assert {one["kind"] for one in manifests(folder)} - {"ConfigMap"} == KINDS


@pytest.mark.parametrize("version", VERSIONS)
@FOLDERS
def test_the_schemas_of_kubernetes(folder: str, version: str) -> None:
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="install it: pip install kubernetes-validate"
    )
    for one in manifests(folder):
        if not one["apiVersion"].startswith("monitoring.coreos.com/"):  # no part of Kubernetes
            kubernetes_validate.validate(one, version, strict=True)


def test_the_schemas_refuse_a_wrong_field() -> None:
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="install it: pip install kubernetes-validate"
    )
    wrong = next(one for one in base() if one["kind"] == "StatefulSet")
    wrong["spec"]["replica"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def violations(folder: list[dict[str, Any]]) -> Iterator[str]:
    """What a cluster with the restricted profile, and we, would not accept."""
    [pods] = [one["spec"]["template"]["spec"] for one in folder if one["kind"] == "StatefulSet"]
    security = pods.get("securityContext", {})
    if not security.get("runAsNonRoot") or not security.get("runAsUser"):
        yield "runs as root"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "no seccomp profile"
    if pods.get("automountServiceAccountToken", True):
        yield "can talk to the cluster"
    if any(pods.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares a namespace of the host"
    if any("hostPath" in volume for volume in pods.get("volumes", [])):
        yield "mounts the host"
    for container in pods["containers"]:
        rights = container.get("securityContext", {})
        if rights.get("allowPrivilegeEscalation", True) or rights.get("privileged"):
            yield "may gain rights"
        if rights.get("capabilities", {}).get("drop") != ["ALL"] or rights["capabilities"].get("add"):
            yield "keeps capabilities"
        if not rights.get("readOnlyRootFilesystem"):
            yield "can write its root"
        resources = container.get("resources", {})
        if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
            yield "no requests or limits"
        for name, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
            if path not in str(container.get(name, {})):
                yield f"no {name}"
        if container["image"].endswith(":latest"):
            yield "an image that moves"
        for variable in container.get("env", []):
            if re.search("password|token|secret", variable["name"], re.IGNORECASE) and "value" in variable:
                yield f"{variable['name']} in plain text"


@FOLDERS
def test_the_policy(folder: str) -> None:
    assert list(violations(manifests(folder))) == []


def test_the_policy_is_not_blind() -> None:
    bare = [{"kind": "StatefulSet", "spec": {"template": {"spec": {"containers": [{"image": "streamrnn:latest"}]}}}}]
    assert len(list(violations(bare))) >= 10


@FOLDERS
def test_selectors_find_the_pods(folder: str) -> None:
    found = {one["kind"]: one for one in manifests(folder)}
    labels = found["StatefulSet"]["spec"]["template"]["metadata"]["labels"].items()
    assert found["Service"]["spec"]["selector"].items() <= labels
    assert found["StatefulSet"]["spec"]["serviceName"] == found["Service"]["metadata"]["name"]
    for kind, name in (
        ("StatefulSet", "selector"),
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
    ):
        assert found[kind]["spec"][name]["matchLabels"].items() <= labels
    monitor = found["ServiceMonitor"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= found["Service"]["metadata"]["labels"].items()
    assert {one["port"] for one in monitor["endpoints"]} <= {port["name"] for port in found["Service"]["spec"]["ports"]}


@pytest.mark.parametrize("folder", ["base", "overlays/production"])
def test_the_pipeline_is_valid_and_its_members_have_names(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", "streamrnn-3")
    if folder != "base":
        monkeypatch.setenv("STREAMRNN__MONITOR__TOKEN", "of the secret")
    config = load(FOLDER / folder / "pipeline.yaml")
    assert config.kafka.group_instance_id == "streamrnn-3"
    assert config.monitor.port == 8321
    if folder != "base":
        assert config.kafka.security_protocol == "SASL_SSL"


def test_the_overlay_uses_secrets_by_reference() -> None:
    folder = rendered("overlays/production")
    assert "Secret" not in {one["kind"] for one in folder}
    told = yaml.safe_dump_all(folder)
    assert "secretKeyRef" in told
    assert "secretName: streamrnn" in told
