"""Descriptions of networks: what is read, and that nothing misspelt or dangerous passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from simdes import lanes
from simdes.deploy.spec import GAS_PER_SECOND, MOST_GATEWAYS, read_spec
from simdes.errors import Invalid, NotFound

ONE = '[[organisation]]\nname = "a"\nhost = "a.example"\n'
TWO = ONE + '[[organisation]]\nname = "b"\nhost = "b.example"\n'
HEAD = 'name = "north"\nchain_id = 7\n'
EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "example" / "network.toml"


def spec_file(folder: Path, text: str) -> Path:
    path = folder / "network.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    spec = read_spec(spec_file(tmp_path, HEAD + TWO))
    first = spec.organisations[0]
    assert (first.title, first.p2p_host, first.kind) == ("a", "a.example", "hospital")
    assert (first.validator, first.gateways, first.identity) == (True, 2, None)
    assert (spec.block_seconds, spec.gas_limit) == (1, GAS_PER_SECOND)
    assert (spec.shares_needed, spec.custodians) == (2, 2)
    assert first.url == "https://a.example"


@pytest.mark.parametrize(
    ("members", "shares"), [(2, (2, 2)), (3, (2, 3)), (4, (3, 4)), (5, (3, 5)), (9, (3, 5))]
)
def test_vaults_need_three_of_five_where_there_are_five(
    tmp_path: Path, members: int, shares: tuple[int, int]
) -> None:
    tables = "".join(
        f'[[organisation]]\nname = "o{place}"\nhost = "o{place}.example"\n'
        for place in range(members)
    )
    spec = read_spec(spec_file(tmp_path, HEAD + tables))
    assert (spec.shares_needed, spec.custodians) == shares


def test_members_tables_are_read_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "member.toml").write_text('name = "b"\nhost = "b.example"\n')
    spec = read_spec(spec_file(tmp_path, 'members = ["b/member.toml"]\n' + HEAD + ONE))
    assert [one.name for one in spec.organisations] == ["a", "b"]
    with pytest.raises(NotFound):
        read_spec(spec_file(tmp_path, 'members = ["c/member.toml"]\n' + HEAD + ONE))


def test_an_organisation_has_a_ledger_lane_left_for_commands() -> None:
    assert MOST_GATEWAYS < lanes.LANES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name =",
        HEAD,
        HEAD + "organisation = 3\n",
        HEAD + "organisation = [3]\n",
        HEAD + "members = 3\n" + ONE,
        HEAD + "members = [3]\n" + ONE,
        HEAD.replace("north", "North") + ONE,
        HEAD.replace("north", "north; rm -rf") + ONE,
        HEAD.replace("7", "0") + ONE,
        HEAD.replace("7", "true") + ONE,
        HEAD.replace("7", '"7"') + ONE,
        HEAD + "block_seconds = 0\n" + ONE,
        HEAD + "gas_limit = 3\n" + ONE,
        HEAD + "blocks = 3\n" + ONE,
        HEAD + 'shares = "1-of-3"\n' + ONE,
        HEAD + 'shares = "4-of-3"\n' + ONE,
        HEAD + 'shares = "3 of 4"\n' + ONE,
        HEAD + "[images]\nbesu = 3\n" + ONE,
        HEAD + '[images]\nbesu = "hyperledger/besu"\n' + ONE,
        HEAD + '[images]\ngeth = "x:1"\n' + ONE,
        HEAD + ONE + ONE,
        HEAD + TWO.replace("b.example", "a.example"),
        HEAD + ONE + "validator = false\n",
        HEAD + ONE + "validator = 1\n",
        HEAD + ONE + "validater = false\n",
        HEAD + ONE + "gateways = 0\n",
        HEAD + ONE + "gateways = 4\n",
        HEAD + ONE + "p2p_port = 0\n",
        HEAD + ONE + "p2p_port = 65536\n",
        HEAD + ONE + 'kind = "school"\n',
        HEAD + ONE + 'title = "a\\nb"\n',
        HEAD + ONE + 'title = ""\n',
        HEAD + ONE.replace("a.example", "a.example; x"),
        HEAD + ONE.replace("a.example", "$(x).example"),
        HEAD + ONE.replace("a.example", "A.example"),
        HEAD + ONE.replace('name = "a"', 'name = "../a"'),
        HEAD + ONE.replace('host = "a.example"\n', ""),
        HEAD + ONE + 'node_public_key = "0x12"\n',
        HEAD + ONE + f'node_public_key = "0x{"11" * 64}"\n',
        HEAD + ONE + 'ipfs_peer = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"\n',
        HEAD + ONE + 'ipfs_peer = "QmNobody"\n',
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid):
        read_spec(spec_file(tmp_path, text))


def test_two_organisations_never_share_a_key(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    keys = [line for line in text.splitlines() if line.startswith("node_public_key")]
    with pytest.raises(Invalid, match="same node_public_key"):
        read_spec(spec_file(tmp_path, text.replace(keys[1], keys[0])))
    peers = [line for line in text.splitlines() if line.startswith("ipfs_peer")]
    with pytest.raises(Invalid, match="same ipfs_peer"):
        read_spec(spec_file(tmp_path, text.replace(peers[1], peers[0])))
