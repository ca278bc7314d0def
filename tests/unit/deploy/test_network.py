"""Two steps to a network: members make keys, the founder needs their public tables alone."""

from __future__ import annotations

import json
import secrets
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simdes.cli import command_line
from simdes.deploy import besu, network
from simdes.deploy.spec import read_spec
from simdes.errors import Conflict, Invalid

NAMES = ("hospital-a", "hospital-b", "insurer-c", "pharmacy-d")


def run(*words: object) -> str:
    result = CliRunner().invoke(
        command_line(), [str(word) for word in words], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.stdout


def member(folder: Path, name: str, *more: str) -> dict[str, str]:
    words = ("network", "member", "--out", folder / name, "--name", name)
    text = run(*words, "--host", f"{name}.example", "--json", *more)
    found: dict[str, str] = json.loads(text)
    return found


def described(folder: Path, members: tuple[str, ...] = NAMES) -> Path:
    path = folder / "network.toml"
    files = ", ".join(f'"{name}/member.toml"' for name in members)
    path.write_text(f'name = "north"\nchain_id = 7\nmembers = [{files}]\n')
    return path


def contents(folder: Path) -> dict[str, bytes]:
    found = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {str(path.relative_to(folder)): text for path, text in found.items()}


def test_the_founder_needs_nobodys_keys(tmp_path: Path) -> None:
    homes, founder = tmp_path / "homes", tmp_path / "founder"
    made = {name: member(homes, name) for name in NAMES}
    for name in NAMES:  # only the public tables travel
        (founder / name).mkdir(parents=True)
        (founder / name / "member.toml").write_bytes((homes / name / "member.toml").read_bytes())
    out = founder / "out"
    told = json.loads(run("network", "besu", "--spec", described(founder), "--out", out, "--json"))
    assert told["validators"] == {name: made[name]["address"] for name in NAMES}
    assert told["keys_made_for"] == []
    assert told["warnings"] == []
    genesis = json.loads((out / "genesis.json").read_text())
    extra = bytes.fromhex(genesis["extraData"][2:])
    found = ["0x" + one.hex() for one in besu.read_validators(extra)]
    assert found == sorted(one["address"] for one in made.values())
    held = {name for name in contents(out) if "/secrets/" in name}
    assert held == {f"{name}/secrets/.gitignore" for name in NAMES}
    assert (out / "secrets" / "swarm.key").exists(), "one for all, given out over a safe channel"


def test_no_secret_leaves_its_file(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    tables = "".join(f'[[organisation]]\nname = "{it}"\nhost = "{it}.example"\n' for it in NAMES)
    path.write_text(f'name = "north"\nchain_id = 7\n{tables}')
    words = ("network", "besu", "--spec", path, "--out", tmp_path / "out")
    said = run(*words) + run(*words, "--json") + member(tmp_path / "m", "e").__repr__()
    files = contents(tmp_path / "out")
    hidden = {
        text.decode().removeprefix("0x").strip().splitlines()[-1]
        for name, text in files.items()
        if "secrets/" in name and not name.endswith(".gitignore")
    }
    assert len(hidden) == 4 * 4 + 1, "two keys, a password in two forms, and one swarm key"
    for secret in hidden:
        assert secret not in said
        for name, text in files.items():
            assert "secrets/" in name or secret not in text.decode(), name
    for name in files:
        mode = stat.S_IMODE((tmp_path / "out" / name).stat().st_mode)
        if "secrets/" in name and not name.endswith(".gitignore"):
            assert mode == 0o600, name


def test_run_again_it_keeps_every_key_and_the_first_block(tmp_path: Path) -> None:
    for name in NAMES:
        member(tmp_path, name)
    words = ("network", "besu", "--spec", described(tmp_path), "--out", tmp_path / "out")
    run(*words)
    before = contents(tmp_path)
    run(*words)
    for name in NAMES:
        member(tmp_path, name)
    assert contents(tmp_path) == before


def test_who_joins_later_changes_lists_and_not_the_first_block(tmp_path: Path) -> None:
    for name in (*NAMES, "hospital-e"):
        member(tmp_path, name)
    out = tmp_path / "out"
    run("network", "besu", "--spec", described(tmp_path), "--out", out)
    before = contents(out)
    spec = described(tmp_path, (*NAMES, "hospital-e"))
    told = json.loads(run("network", "besu", "--spec", spec, "--out", out, "--json"))
    after = contents(out)
    assert told["genesis_kept"] is True
    assert after["genesis.json"] == before["genesis.json"]
    assert after["hospital-e/besu/genesis.json"] == before["hospital-a/besu/genesis.json"]
    changed = {name for name in before if after[name] != before[name]}
    assert {name.partition("/")[2] for name in changed} >= {
        "besu/static-nodes.json",
        "besu/permissions_config.toml",
        "ipfs/peers.json",
    }
    assert not {name for name in changed if "secrets" in name}


def test_a_dry_run_makes_nothing_and_lists_what_would_be_written(tmp_path: Path) -> None:
    for name in NAMES:
        member(tmp_path, name)
    words = ("network", "besu", "--spec", described(tmp_path), "--out", tmp_path / "out")
    dry = json.loads(run(*words, "--dry-run", "--json"))
    assert not (tmp_path / "out").exists()
    wet = json.loads(run(*words, "--json"))
    assert dry["files"] == wet["files"]
    assert (dry["written"], wet["written"]) == (False, True)
    assert "hospital-a/compose.yaml" in run(*words, "--dry-run").replace("\n", "")


def test_a_dry_run_lists_the_same_where_keys_are_still_to_be_made(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    path.write_text('name = "n"\nchain_id = 7\n[[organisation]]\nname = "a"\nhost = "a.example"\n')
    words = ("network", "besu", "--spec", path, "--out", tmp_path / "out", "--json")
    dry, wet = json.loads(run(*words, "--dry-run")), json.loads(run(*words))
    assert dry["files"] == wet["files"]
    assert dry["keys_made_for"] == wet["keys_made_for"] == ["a"]
    assert wet["warnings"][0].startswith("1 validators")


def test_another_networks_folder_is_left_alone(tmp_path: Path) -> None:
    for name in NAMES:
        member(tmp_path, name)
    path = described(tmp_path)
    network.write(read_spec(path), tmp_path / "out", secrets.token_bytes)
    before = contents(tmp_path / "out")
    path.write_text(path.read_text().replace("chain_id = 7", "chain_id = 8"))
    for act in (network.plan, lambda spec, out: network.write(spec, out, secrets.token_bytes)):
        with pytest.raises(Conflict):
            act(read_spec(path), tmp_path / "out")
    assert contents(tmp_path / "out") == before
    (tmp_path / "out" / "genesis.json").write_text("[]")
    with pytest.raises(Invalid):
        network.plan(read_spec(path), tmp_path / "out")


def test_a_member_is_not_described_anew_by_chance(tmp_path: Path) -> None:
    first = member(tmp_path, "a")
    with pytest.raises(Conflict):
        member(tmp_path, "a", "--kind", "pharmacy")
    (tmp_path / "a" / "member.toml").unlink()
    assert member(tmp_path, "a", "--kind", "pharmacy")["address"] == first["address"]
    with pytest.raises(Invalid):
        member(tmp_path, "B")
