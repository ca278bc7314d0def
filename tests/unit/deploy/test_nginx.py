"""What `simdes network besu` writes for the balancer, read by nginx itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from simdes.deploy import network
from simdes.deploy.spec import read_spec
from support.certificates import Authority
from support.nginx import complaint

pytestmark = pytest.mark.nginx

EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "example"


def configurations() -> dict[str, str]:
    """Of the example, by where it is written: beside Compose's files, and in ConfigMaps."""
    files = network.plan(read_spec(EXAMPLE / "network.toml"), Path("/nowhere")).files
    found = {path: text for path, text in files.items() if path.endswith("nginx.conf")}
    for path, text in files.items():
        for one in yaml.safe_load_all(text) if "/kubernetes/" in path else ():
            if one["kind"] == "ConfigMap" and "nginx.conf" in one["data"]:
                found[f"{path} {one['metadata']['name']}"] = one["data"]["nginx.conf"]
    return found


def test_nginx_starts_with_every_configuration_that_is_written(tmp_path: Path) -> None:
    pair = Authority(tmp_path, "authority").vouch("gateway.example")
    found = configurations()
    assert len(found) >= 8
    for text in dict.fromkeys(found.values()):
        said = complaint(text, tmp_path, certificate=pair.certificate, key=pair.key)
        assert said == ""


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    pair = Authority(tmp_path, "authority").vouch("gateway.example")
    text = next(iter(configurations().values())).replace("least_conn;", "least_con;")
    said = complaint(text, tmp_path, certificate=pair.certificate, key=pair.key)
    assert 'unknown directive "least_con"' in said
