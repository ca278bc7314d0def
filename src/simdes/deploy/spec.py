"""The description that a network's files are made from: TOML, one table for each organisation.

```toml
name = "north"                  # of the network; names volumes, namespaces, folders
chain_id = 710301
block_seconds = 1

[[organisation]]
name = "hospital-a"             # a DNS label: also its folder and its namespace
title = "Hospital A"
kind = "hospital"
host = "simdes.hospital-a.example"
p2p_host = "198.51.100.11"      # where its nodes are reached; default: host
validator = true
gateways = 2
node_public_key = "0x…"         # from its member.toml; without it the keys are made here
ipfs_peer = "12D3KooW…"
```

`members` lists files that hold one such table each, as `simdes network member` writes them. The
first organisation founds the network. Unknown names are refused: a misspelt option is no option.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import coincurve

from simdes.deploy.identities import Identity, is_peer_id
from simdes.errors import Invalid, NotFound

KINDS: Final = ("hospital", "pharmacy", "insurer", "research")
MOST_ORGANISATIONS: Final = 100
MOST_GATEWAYS: Final = 3
"""One less than an organisation's ledger lanes (`lanes.LANES`): a command needs one, too."""

FAULT_TOLERANT: Final = 4
"""So many validators at least, and QBFT goes on when one of them fails."""

GAS_PER_SECOND: Final = 150_000_000
"""Room for about a thousand anchors (contracts/gas.json) in a second, twice what four shared
validators were seen to carry: blocks stay in time and one sender can't stretch them."""

_LABEL: Final = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
_HOST: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_SHARES: Final = re.compile(r"([0-9]{1,3})-of-([0-9]{1,3})")
_IMAGE: Final = re.compile(r"[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One member: where it is reached and what it runs. Ports are those seen from outside."""

    name: str
    host: str
    title: str = ""
    kind: str = "hospital"
    p2p_host: str = ""
    p2p_port: int = 30303
    ipfs_port: int = 4001
    https_port: int = 443
    validator: bool = True
    gateways: int = 2
    node_public_key: str = ""
    ipfs_peer: str = ""

    @property
    def identity(self) -> Identity | None:
        """Its public keys; None where they are still to be made."""
        if not self.node_public_key:
            return None
        return Identity(bytes.fromhex(self.node_public_key.removeprefix("0x")), self.ipfs_peer)

    @property
    def url(self) -> str:
        """Where others reach its gateways."""
        return f"https://{self.host}" + ("" if self.https_port == 443 else f":{self.https_port}")

    def known_as(self, identity: Identity) -> Organisation:
        """The same, with its public keys."""
        return replace(self, node_public_key="0x" + identity.node.hex(), ipfs_peer=identity.peer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Container images. Pin digests (`name:tag@sha256:…`) once you have checked them."""

    besu: str = "hyperledger/besu:26.8.0"
    ipfs: str = "ipfs/kubo:v0.42.0"
    postgresql: str = "postgres:18"
    balancer: str = "nginx:1.30"
    simdes: str = "simdes:0.1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A whole network; ``shares_needed`` of ``custodians`` is for vaults opened in it."""

    name: str
    chain_id: int
    organisations: tuple[Organisation, ...]
    block_seconds: int = 1
    gas_limit: int
    shares_needed: int
    custodians: int
    images: Images = Images()

    @property
    def validators(self) -> tuple[Organisation, ...]:
        """The organisations whose node makes blocks."""
        return tuple(one for one in self.organisations if one.validator)


def read_spec(path: Path) -> Spec:
    """Read a network's description; `Invalid` names what is wrong with it."""
    table = _table(path)
    members = [
        organisation(_table(path.parent / _text(name, "members")), str(name))
        for name in _list(table.pop("members", []), "members")
    ]
    listed = [
        organisation(one, f"organisation {place}")
        for place, one in enumerate(_list(table.pop("organisation", []), "organisation"), 1)
    ]
    organisations = tuple(listed + members)
    _check_distinct(organisations)
    images = _images(table.pop("images", {}))
    shares = _shares(table.pop("shares", ""), len(organisations))
    block_seconds = _number(table.pop("block_seconds", 1), "block_seconds", 1, 60)
    spec = Spec(
        name=_matching(table.pop("name", None), "name", _LABEL),
        chain_id=_number(table.pop("chain_id", None), "chain_id", 1, (1 << 53) - 1),
        organisations=organisations,
        block_seconds=block_seconds,
        gas_limit=_number(
            table.pop("gas_limit", GAS_PER_SECOND * block_seconds),
            "gas_limit",
            10_000_000,
            (1 << 53) - 1,
        ),
        shares_needed=shares[0],
        custodians=shares[1],
        images=images,
    )
    if table:
        raise Invalid(f"{path} has unknown names: {', '.join(sorted(table))}.")
    if not spec.validators:
        raise Invalid("A network needs a validator.", advice="Four make it withstand a failure.")
    return spec


def read_member(path: Path) -> Organisation:
    """Read one organisation's public table, as `simdes network member` writes it."""
    return organisation(_table(path), str(path))


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise NotFound(f"{path} can't be read.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is not readable as TOML: {error}") from error


def organisation(table: object, where: str) -> Organisation:
    """Check one organisation's table; `where` names it in `Invalid`."""
    if not isinstance(table, dict):
        raise Invalid(f"{where} is no table.")
    unknown = sorted(set(table) - {field.name for field in fields(Organisation)})
    if unknown:
        raise Invalid(f"{where} has unknown names: {', '.join(unknown)}.")
    checks: Mapping[str, Callable[[object, str], object]] = {
        "name": lambda value, name: _matching(value, name, _LABEL),
        "host": _host,
        "title": _title,
        "kind": _kind,
        "p2p_host": lambda value, name: _host(value, name) if value else "",
        "p2p_port": lambda value, name: _number(value, name, 1, 65_535),
        "ipfs_port": lambda value, name: _number(value, name, 1, 65_535),
        "https_port": lambda value, name: _number(value, name, 1, 65_535),
        "validator": _flag,
        "gateways": lambda value, name: _number(value, name, 1, MOST_GATEWAYS),
        "node_public_key": _point,
        "ipfs_peer": _peer,
    }
    for needed in ("name", "host"):
        if needed not in table:
            raise Invalid(f"{where} has no {needed}.")
    found: dict[str, Any] = {
        name: checks[name](value, f"{where}: {name}") for name, value in table.items()
    }
    one = Organisation(**found)
    if bool(one.node_public_key) != bool(one.ipfs_peer):
        raise Invalid(f"{where}: node_public_key and ipfs_peer come together.")
    return replace(one, title=one.title or one.name, p2p_host=one.p2p_host or one.host)


def _check_distinct(organisations: Sequence[Organisation]) -> None:
    if not 1 <= len(organisations) <= MOST_ORGANISATIONS:
        raise Invalid(f"A network has 1 to {MOST_ORGANISATIONS} organisations.")
    kinds: Mapping[str, Callable[[Organisation], object]] = {
        "name": lambda one: one.name,
        "gateway address": lambda one: (one.host, one.https_port),
        "ledger node's address": lambda one: (one.p2p_host, one.p2p_port),
        "IPFS node's address": lambda one: (one.p2p_host, one.ipfs_port),
        "node_public_key": lambda one: one.node_public_key or one.name,
        "ipfs_peer": lambda one: one.ipfs_peer or one.name,
    }
    for what, of in kinds.items():
        if len({of(one) for one in organisations}) != len(organisations):
            raise Invalid(f"Two organisations have the same {what}.")


def _shares(value: object, organisations: int) -> tuple[int, int]:
    """m and n: as written, or one less than the custodians, of whom there are five at most."""
    if value == "":
        custodians = max(2, min(5, organisations))
        return max(2, min(3, custodians - 1)), custodians
    match = _SHARES.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Invalid('shares is written m-of-n, for example "3-of-5".')
    needed, custodians = int(match[1]), int(match[2])
    if not 2 <= needed <= custodians <= 64:
        raise Invalid("shares must obey 2 ≤ m ≤ n ≤ 64.")
    return needed, custodians


def _images(table: object) -> Images:
    if not isinstance(table, dict) or set(table) - {field.name for field in fields(Images)}:
        raise Invalid(f"images names {', '.join(field.name for field in fields(Images))}.")
    return Images(**{name: _matching(value, name, _IMAGE) for name, value in table.items()})


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid(f"{name} is a list.")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid(f"{name} is text.")
    return value


def _title(value: object, name: str) -> str:
    text = _text(value, name)
    if len(text) > 100 or not text.isprintable():
        raise Invalid(f"{name} is one line of 100 characters at most.")
    return text


def _matching(value: object, name: str, pattern: re.Pattern[str]) -> str:
    text = _text(value, name)
    if not pattern.fullmatch(text):
        raise Invalid(f"{name} must look like {pattern.pattern}.")
    return text


def _host(value: object, name: str) -> str:
    text = _text(value, name)
    if is_address(text) or _HOST.fullmatch(text):
        return text
    raise Invalid(f"{name} is a host name in lower case or an IPv4 address.")


def is_address(text: str) -> bool:
    """Whether a host is written as an IPv4 address."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _kind(value: object, name: str) -> str:
    if value not in KINDS:
        raise Invalid(f"{name} is one of {', '.join(KINDS)}.")
    return str(value)


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{name} is true or false.")
    return value


def _number(value: object, name: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Invalid(f"{name} is a whole number from {least} to {most}.")
    return value


def _point(value: object, name: str) -> str:
    text = _text(value, name).removeprefix("0x")
    try:
        raw = bytes.fromhex(text)
        if len(raw) != 64:
            raise ValueError
        coincurve.PublicKey(b"\x04" + raw)
    except ValueError:
        raise Invalid(f"{name} is no public key: 64 bytes of a secp256k1 point.") from None
    return "0x" + text.lower()


def _peer(value: object, name: str) -> str:
    text = _text(value, name)
    if not is_peer_id(text):
        raise Invalid(f"{name} is no peer id of an Ed25519 key (12D3KooW…).")
    return text
