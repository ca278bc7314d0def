"""The written files against Compose's and Kubernetes' schemas, and what runs in them."""

from __future__ import annotations

import gzip
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import typer
import yaml

from simdes.cli import command_line
from simdes.deploy import network
from simdes.deploy.network import Plan
from simdes.deploy.spec import read_spec

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "vectors" / "deploy"
EXAMPLE = ROOT / "deploy" / "example"
COMPOSE = json.loads(gzip.decompress((VECTORS / "compose-spec.json.gz").read_bytes()))
KUBERNETES = json.loads(gzip.decompress((VECTORS / "kubernetes-1.37.json.gz").read_bytes()))
SECRETS = ("node.key", "ipfs.key", "swarm.key", "database-password", "tls.crt", "tls.key")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return network.plan(read_spec(EXAMPLE / "network.toml"), Path("/nowhere"))


def members(plan: Plan) -> list[str]:
    return [one.name for one in plan.spec.organisations]


def compose(plan: Plan, name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(plan.files[f"{name}/compose.yaml"])
    return document


def manifests(plan: Plan, name: str) -> Iterator[dict[str, Any]]:
    for path, text in plan.files.items():
        if path.startswith(f"{name}/kubernetes/"):
            yield from yaml.safe_load_all(text)


def faults(manifest: dict[str, Any]) -> list[str]:
    kind = KUBERNETES["kinds"][f"{manifest['apiVersion']}/{manifest['kind']}"]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": f"#/$defs/{kind}",
        "$defs": KUBERNETES["$defs"],
    }
    return [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(manifest)]


def containers(plan: Plan, name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for manifest in manifests(plan, name):
        if "template" in manifest.get("spec", {}):
            pod = manifest["spec"]["template"]["spec"]
            for container in pod["containers"]:
                yield pod, container


def test_the_committed_example_is_what_the_command_writes(plan: Plan) -> None:
    committed = {
        str(path.relative_to(EXAMPLE)): path.read_text(encoding="utf-8")
        for path in EXAMPLE.rglob("*")
        if path.is_file() and path.name not in ("network.toml", "swarm.key")
    }
    committed.pop("secrets/.gitignore", None)
    assert committed == dict(plan.files)


def test_compose_files_are_what_the_specification_allows(plan: Plan) -> None:
    validator = jsonschema_rs.validator_for(COMPOSE)
    for name in members(plan):
        assert [error.message for error in validator.iter_errors(compose(plan, name))] == []
    broken = compose(plan, "hospital-a")
    broken["services"]["besu"]["image_name"] = "x"
    assert list(validator.iter_errors(broken))


def test_manifests_are_what_kubernetes_allows(plan: Plan) -> None:
    count = 0
    for name in members(plan):
        for manifest in manifests(plan, name):
            assert faults(manifest) == [], (manifest["kind"], manifest["metadata"]["name"])
            count += 1
    assert count > 80


def test_a_misspelt_field_would_be_found(plan: Plan) -> None:
    broken = next(one for one in manifests(plan, "hospital-a") if one["kind"] == "StatefulSet")
    broken["spec"]["template"]["spec"]["containers"][0]["imagePullPolice"] = "Always"
    assert faults(broken)


def test_pods_meet_the_restricted_standard(plan: Plan) -> None:
    """kubernetes.io/docs/concepts/security/pod-security-standards, "Restricted"."""
    for name in members(plan):
        for pod, container in containers(plan, name):
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["runAsUser"] > 0
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert pod["automountServiceAccountToken"] is False
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert "cpu" in container["resources"]["requests"]
            allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
            assert all(set(one) - {"name"} <= allowed for one in pod["volumes"])


def test_what_serves_is_probed_and_budgeted(plan: Plan) -> None:
    found = list(manifests(plan, "hospital-a"))
    for manifest in found:
        if manifest["kind"] in ("StatefulSet", "Deployment"):
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                assert {"livenessProbe", "readinessProbe"} <= set(container), container["name"]
    budgets = {one["metadata"]["name"] for one in found if one["kind"] == "PodDisruptionBudget"}
    assert budgets == {"gateway", "balancer"}


def test_every_selector_finds_a_pod_and_every_pod_has_a_network_policy(plan: Plan) -> None:
    found = list(manifests(plan, "hospital-a"))
    pods = {
        one["metadata"]["name"]: one["spec"]["template"]["metadata"]["labels"]
        for one in found
        if "template" in one.get("spec", {})
    }

    def chosen(selector: dict[str, Any]) -> set[str]:
        return {name for name, labels in pods.items() if selector.items() <= labels.items()}

    for one in found:
        if one["kind"] == "Service":
            assert len(chosen(one["spec"]["selector"])) == 1
    policies = [one["spec"] for one in found if one["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies
    covered = [chosen(one["podSelector"]["matchLabels"]) for one in policies if one["podSelector"]]
    assert set.union(*covered) == set(pods)
    peers = [
        peer
        for one in policies
        for rule in (*one.get("ingress", ()), *one.get("egress", ()))
        for peer in (*rule.get("from", ()), *rule.get("to", ()))
    ]
    named = [one["podSelector"]["matchLabels"] for one in peers if set(one) == {"podSelector"}]
    assert all(chosen(labels) for labels in named)
    database = next(one for one in policies if "egress" not in one and one["podSelector"])
    assert chosen(database["podSelector"]["matchLabels"]) == {"postgres"}


def test_secrets_are_named_and_never_written_in(plan: Plan) -> None:
    for name in members(plan):
        document = compose(plan, name)
        assert {key: one["file"] for key, one in document["secrets"].items()} == {
            key: f"./secrets/{key}" for key in SECRETS
        }
        assert "Secret" not in {one["kind"] for one in manifests(plan, name)}
    for path, text in plan.files.items():
        if path.endswith("ipfs/config.json"):
            assert json.loads(text)["Identity"]["PrivKey"] == "@PRIVATE_KEY@"


def test_only_the_balancer_and_the_two_node_ports_are_published(plan: Plan) -> None:
    for name in members(plan):
        document = compose(plan, name)
        published = {
            key: one["ports"] for key, one in document["services"].items() if "ports" in one
        }
        assert published == {
            "besu": ["30303:30303/tcp"],
            "ipfs": ["4001:4001/tcp"],
            "balancer": ["443:8443/tcp"],
        }
        assert document["networks"]["inside"]["internal"] is True
        assert document["services"]["postgres"]["networks"] == ["inside"]


def test_every_image_has_a_version(plan: Plan) -> None:
    images = {one["image"] for one in compose(plan, "hospital-a")["services"].values()}
    images |= {container["image"] for _, container in containers(plan, "hospital-a")}
    assert len(images) == 5
    assert all(":" in one and not one.endswith(":latest") for one in images)


def test_each_gateway_stands_behind_the_balancer(plan: Plan) -> None:
    for one in plan.spec.organisations:
        services = [
            name for name in compose(plan, one.name)["services"] if name.startswith("gateway")
        ]
        assert services == [f"gateway-{place}" for place in range(1, one.gateways + 1)]
        nginx = plan.files[f"{one.name}/balancer/nginx.conf"]
        assert re.findall(r"server (gateway-\d:8400)", nginx) == [f"{it}:8400" for it in services]
        deployment = next(
            it
            for it in manifests(plan, one.name)
            if it["kind"] == "Deployment" and it["metadata"]["name"] == "gateway"
        )
        assert deployment["spec"]["replicas"] == one.gateways


def options_of(name: str) -> set[str]:
    command = typer.main.get_command(command_line()).commands[name]  # type: ignore[attr-defined]
    return {option for one in command.params for option in one.opts}


def test_the_commands_in_the_files_exist_with_their_options(plan: Plan) -> None:
    lines = [compose(plan, "hospital-b")["services"][key]["command"] for key in ("init",)]
    lines += [compose(plan, "hospital-b")["services"]["gateway-1"]["command"]]
    lines += [
        container["args"]
        for _, container in containers(plan, "hospital-b")
        if container["image"].startswith("simdes:")
    ]
    assert len(lines) == 4
    for name, *options in lines:
        assert {one.partition("=")[0] for one in options} <= options_of(name)


def test_the_founder_makes_the_contracts_and_the_others_are_told_of_them(plan: Plan) -> None:
    joins = {
        name: "--network=/etc/simdes/network.json"
        in compose(plan, name)["services"]["init"]["command"]
        for name in members(plan)
    }
    assert joins == {
        "hospital-a": False,
        "hospital-b": True,
        "insurer-c": True,
        "pharmacy-d": True,
    }


def test_kubernetes_gets_the_same_settings(plan: Plan) -> None:
    for name in members(plan):
        maps = {
            one["metadata"]["name"]: one["data"]
            for one in manifests(plan, name)
            if one["kind"] == "ConfigMap"
        }
        for file, text in maps["besu"].items():
            assert text.strip() == plan.files[f"{name}/besu/{file}"].strip()
        for file, text in maps["ipfs"].items():
            assert text.strip() == plan.files[f"{name}/ipfs/{file}"].strip()
        assert "server gateway:8400" in maps["balancer"]["nginx.conf"]
        assert tomllib.loads(maps["besu"]["config.toml"])["data-path"] == "/var/lib/besu"


def test_ipfs_nodes_are_private(plan: Plan) -> None:
    for one in plan.spec.organisations:
        config = json.loads(plan.files[f"{one.name}/ipfs/config.json"])
        assert config["Bootstrap"] == []
        assert config["Routing"]["Type"] == "none"
        assert config["Discovery"]["MDNS"]["Enabled"] is False
        assert config["AutoConf"]["Enabled"] is False
        assert all(it["child"].get("sync", True) for it in config["Datastore"]["Spec"]["mounts"])
        peers = json.loads(plan.files[f"{one.name}/ipfs/peers.json"])
        others = [it for it in plan.spec.organisations if it.name != one.name]
        assert [it["ID"] for it in peers] == [it.ipfs_peer for it in others]
        assert "LIBP2P_FORCE_PNET=1" in plan.files[f"{one.name}/ipfs/start.sh"]
