"""That what is in `deploy/` is what its engines take, as far as can be told without them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from liveness.process import STOP_LIMIT
from liveness.settings import DRAIN_SECONDS, ENV_PREFIX, Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = "1.31"
MANIFESTS = sorted(DEPLOY.glob("kubernetes/relayed/[!k]*.yaml"))

GIVEN = {
    "REDIS_PASSWORD": "word",
    "TURN_SECRET": "north",
    "PUBLIC_IP": "198.51.100.7",
    "PUBLIC_NAME": "check.example",
    "POD_IP": "10.244.0.7",
    "WORKERS": "2",
}


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def filled(text: str) -> str:
    """Put values for variables, as compose and Kubernetes do."""
    return re.sub(r"\$[({](\w+)[^)}]*[)}]", lambda found: GIVEN[found[1]], text)


def settings(environment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Read an environment as the server does; every variable has to be one of its own."""
    for name, value in environment.items():
        if name.startswith(ENV_PREFIX):
            assert name.removeprefix(ENV_PREFIX).lower() in Settings.model_fields, name
            monkeypatch.setenv(name, filled(str(value)))
    return Settings()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_what_kubernetes_takes(path: Path) -> None:
    assert documents(path)
    for each in documents(path):
        kubernetes_validate.validate(each, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", ["relayed", "host-network"])
def test_overlays_are_whole(folder: str) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl")
    command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes" / folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
    found = {each["kind"]: each for each in yaml.safe_load_all(made)}
    for each in found.values():
        kubernetes_validate.validate(each, KUBERNETES, strict=True)
    pod = found["Deployment"]["spec"]["template"]["spec"]
    assert pod.get("hostNetwork", False) == (folder == "host-network")


def test_pods_run_what_the_server_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    config, deployment, *_ = documents(DEPLOY / "kubernetes" / "relayed" / "liveness.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = {each["name"]: each.get("value", "a-secret-of-the-tests") for each in container["env"]}
    found = settings(config["data"] | given, monkeypatch)
    assert (found.store, found.node_url) == ("redis://:word@redis:6379/0", "http://10.244.0.7:5555")
    paths = {probe["httpGet"]["path"] for name, probe in container.items() if "Probe" in name}
    assert paths == {"/readyz", "/healthz"}
    waits = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= waits + DRAIN_SECONDS + STOP_LIMIT
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_compose_runs_what_the_server_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    (compose,) = documents(DEPLOY / "compose.yaml")
    services, ranges = compose["services"], []
    for name in ("node1", "node2"):
        node = services[name]
        given = {k: v for k, v in node["environment"].items() if not k.endswith("_FILE")}
        found = settings(given, monkeypatch)
        assert found.ports is not None
        ranges.append(found.ports)
        span = f"{found.ports[0]}-{found.ports[-1]}"
        assert node["ports"] == [f"{span}:{span}/udp"]
        assert found.node_url == f"http://{name}:5555"
        assert int(node["stop_grace_period"].rstrip("s")) >= DRAIN_SECONDS + STOP_LIMIT
    assert not set(ranges[0]) & set(ranges[1])
    used = {
        volume.split(":")[0] for each in services.values() for volume in each.get("volumes", [])
    }
    assert {volume for volume in used if not volume.startswith(".")} == set(compose["volumes"])
    assert {each for one in services.values() for each in one.get("secrets", [])} == set(
        compose["secrets"]
    )
    variables = set(re.findall(r"\$\{(\w+)", (DEPLOY / "haproxy.cfg").read_text()))
    assert set(services["haproxy"]["environment"]) == variables


def test_the_image_is_made_of_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for source in re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE):
        assert (DEPLOY.parent / source).exists(), source
        assert f"!{source}" in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for name in re.findall(rf"{ENV_PREFIX}(\w+)=", text):
        assert name.lower() in Settings.model_fields
    assert re.search(r"^USER 10001", text, re.MULTILINE)


def test_the_unit_waits_for_the_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = (DEPLOY / "liveness.service").read_text()
    lines = [line.partition("=") for line in unit.splitlines() if "=" in line and line[0] != "#"]
    options = {name: value for name, _, value in lines}
    assert int(options["TimeoutStopSec"]) >= DRAIN_SECONDS + STOP_LIMIT
    assert options["KillMode"] == "mixed", "or each worker would be told twice"
    environment = dict(value.split("=") for name, _, value in lines if name == "Environment")
    assert settings(environment, monkeypatch).data_dir == Path("/var/lib/liveness")
