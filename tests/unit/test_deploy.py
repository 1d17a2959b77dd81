"""That what is in `deploy/` is what its engines take, as far as can be told without them."""

import re
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyOptions

from liveness.process import STOP_LIMIT
from liveness.settings import DRAIN_SECONDS, ENV_PREFIX, Settings
from tests.needed import installed

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = "1.31"

GIVEN = {
    "REDIS_PASSWORD": "word",
    "TURN_SECRET": "north",
    "PUBLIC_IP": "198.51.100.7",
    "PUBLIC_NAME": "check.example",
    "POD_IP": "10.244.0.7",
    "NODE_IP": "10.0.0.7",
    "WORKERS": "2",
}


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def overlaid(folder: Path) -> list[dict[str, Any]]:
    """What `kubectl apply -k` sends, but for the namespace."""
    (overlay,) = documents(folder / "kustomization.yaml")
    assert set(overlay) <= {"apiVersion", "kind", "namespace", "resources", "patches"}
    found: list[dict[str, Any]] = []
    for name in overlay["resources"]:
        path = folder / name
        found += overlaid(path) if path.is_dir() else documents(path)
    for patch in overlay.get("patches", []):
        (change,) = documents(folder / patch["path"])
        (target,) = (each for each in found if named(each) == named(change))
        merge(target, change)
    return found


def named(resource: dict[str, Any]) -> tuple[str, str]:
    return resource["kind"], resource["metadata"]["name"]


def merge(target: dict[str, Any], change: dict[str, Any]) -> None:
    """Patch as Kubernetes does: lists of what has names by these, other lists as a whole."""
    for key, value in change.items():
        there = target.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            merge(there, value)
        elif isinstance(there, list) and all("name" in each for each in (*there, *value)):
            named_so = {each["name"]: each for each in there}
            target[key] = [each for each in value if each["name"] not in named_so] + there
            for each in value:
                merge(named_so.get(each["name"], {}), each)
        else:
            target[key] = value


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


@pytest.mark.parametrize(
    ("folder", "address"), [("relayed", GIVEN["POD_IP"]), ("host-network", GIVEN["NODE_IP"])]
)
def test_manifests_are_what_kubernetes_takes_and_let_the_servers_in(
    folder: str, address: str
) -> None:
    resources = overlaid(DEPLOY / "kubernetes" / folder)
    for each in resources:
        kubernetes_validate.validate(each, KUBERNETES, strict=True)
    found = {named(each): each["spec"] for each in resources if "spec" in each}
    pod = found["Deployment", "liveness"]["template"]["spec"]
    assert pod.get("hostNetwork", False) == (folder == "host-network")
    (coturn,) = found["DaemonSet", "coturn"]["template"]["spec"]["containers"]
    assert "--allowed-peer-ip=$(SERVERS)" in coturn["args"]
    (servers,) = (each["value"] for each in coturn["env"] if each["name"] == "SERVERS")
    first, last = map(IPv4Address, servers.split("-"))
    assert first < IPv4Address(address) < last
    ((sender,),) = (each["from"] for each in found["NetworkPolicy", "redis"]["ingress"])
    if folder == "host-network":  # no selector of pods means those that have their node's address
        assert IPv4Address(address) in IPv4Network(sender["ipBlock"]["cidr"])
    else:
        labels = found["Deployment", "liveness"]["template"]["metadata"]["labels"]
        assert sender["podSelector"]["matchLabels"] == labels


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
    PyOptions(apply_merge=True).from_yaml((DEPLOY / "compose.yaml").read_text()).validate()
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


def test_the_unit_is_what_systemd_takes(tmp_path: Path) -> None:
    program = installed("systemd-analyze", "systemd")
    unit = tmp_path / "liveness.service"
    text = (DEPLOY / unit.name).read_text()
    unit.write_text(text.replace("/opt/liveness/.venv/bin/python", sys.executable))
    done = subprocess.run(  # noqa: S603 - ours
        [program, "verify", str(unit)], capture_output=True, text=True, check=True
    )
    assert unit.name not in done.stderr  # what it does not know is told and passed over
