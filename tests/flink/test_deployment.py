"""What is deployed beside Flink's Kubernetes operator fits the operator's own schema."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.flink.environment import OPERATOR, ROOT, environment

MANIFEST = ROOT / "deploy" / "flink" / "deployment.yaml"


def documents() -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all(MANIFEST.read_text())}


def schema(jar: Path) -> Any:
    with zipfile.ZipFile(jar) as archive:
        text = archive.read("META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml")
    definition = yaml.safe_load(text)["spec"]
    [version] = definition["versions"]
    assert (definition["group"], version["name"]) == ("flink.apache.org", "v1beta1")
    return version["schema"]["openAPIV3Schema"]


def unknown(form: Any, value: Any, path: str = "") -> Iterator[str]:
    """Fields that the schema does not name: the operator would leave them out without a word."""
    known = form.get("properties", {})
    if isinstance(value, dict) and known:
        for name, inner in value.items():
            if name in known:
                yield from unknown(known[name], inner, f"{path}.{name}")
            elif path:  # above, Kubernetes' own: apiVersion, kind, metadata
                yield f"{path}.{name}"
    if isinstance(value, list):
        for inner in value:
            yield from unknown(form.get("items", {}), inner, path)


def test_the_session_cluster_fits_the_operators_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="install it: pip install kubernetes-validate")
    session = documents()["FlinkDeployment"]
    form = schema(environment().jar(OPERATOR))
    wrong = [(list(error.path), error.message) for error in jsonschema.Draft202012Validator(form).iter_errors(session)]
    # The schema that Maven has is older than Flink 2: it ends with v1_20.
    assert [path for path, _ in wrong] in ([], [["spec", "flinkVersion"]]), wrong
    assert not list(unknown(form, {"spec": session["spec"]}))
    assert list(unknown(form, {"spec": {"jobManager": {"resource": {"memmory": "1g"}}}})) == [
        ".spec.jobManager.resource.memmory"
    ]


def test_the_job_that_submits_fits_the_schema_of_kubernetes() -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="install it: pip install kubernetes-validate")
    validator.validate(documents()["Job"], "1.34", strict=True)
