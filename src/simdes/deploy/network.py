"""Writing a network's files: who makes which keys, what is kept, what is written again.

Two steps, so that nobody needs another's secrets: each member makes its keys and a public table
(`write_member`), whoever founds the network collects the tables and writes everybody's files
(`plan`, `write`). Run again it keeps every key, and the first block once there is one: a network
that runs can't change it, members that join later are voted in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from simdes.deploy import besu, identities, render
from simdes.deploy.identities import Random
from simdes.deploy.spec import FAULT_TOLERANT, Organisation, Spec
from simdes.errors import Conflict, Invalid

GENESIS: Final = "genesis.json"
SECRETS: Final = "secrets"
MEMBER: Final = "member.toml"


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be written below a folder: texts by path, and whose keys would be made there."""

    folder: Path
    spec: Spec
    genesis: Mapping[str, Any]
    files: Mapping[str, str]
    keys_for: tuple[str, ...]
    genesis_kept: bool

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know before using the files."""
        found = []
        if len(self.spec.validators) < FAULT_TOLERANT:
            found.append(
                f"{len(self.spec.validators)} validators: a network stands the failure of one from "
                f"{FAULT_TOLERANT} on."
            )
        if len(self.keys_for) > 1:
            found.append(
                "This folder holds the keys of several organisations: good for a trial. In earnest "
                "each runs `simdes network member` and keeps its own."
            )
        return tuple(found)


def write_member(folder: Path, one: Organisation, random: Random) -> Organisation:
    """Make an organisation's keys (kept where they are) and write its public table.

    Raises `Conflict` where the table is there and says something else.
    """
    identity = identities.make(folder / SECRETS, random)
    _write_password_file(folder)
    made = one.known_as(identity)
    text = member_text(made)
    path = folder / MEMBER
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise Conflict(
            f"{path} describes the organisation otherwise.",
            advice="Remove it to describe the organisation anew; its keys stay.",
        )
    path.write_text(text, encoding="utf-8")
    return made


def member_text(one: Organisation) -> str:
    """An organisation's public table as TOML."""
    lines = [
        f"{field.name} = {json.dumps(getattr(one, field.name), ensure_ascii=False)}"
        for field in fields(Organisation)
    ]
    return "# One organisation of a network, for whoever founds it. Nothing here is secret.\n" + (
        "\n".join(lines) + "\n"
    )


def write(spec: Spec, folder: Path, random: Random) -> Plan:
    """Make the keys that are missing and write every organisation's files.

    Raises `Conflict` where the folder holds another network.
    """
    missing = tuple(one.name for one in spec.organisations if one.identity is None)
    known = tuple(_known(one, folder, random) for one in spec.organisations)
    plan = _planned(replace(spec, organisations=known), folder, missing)
    for name, text in plan.files.items():
        path = folder / name
        path.parent.mkdir(
            mode=0o700 if path.parent.name == SECRETS else 0o755, parents=True, exist_ok=True
        )
        path.write_text(text, encoding="utf-8")
    shared = folder / SECRETS
    shared.mkdir(mode=0o700, exist_ok=True)
    (shared / ".gitignore").write_text("*\n", encoding="utf-8")
    identities.write_secret(shared / identities.SWARM_KEY, identities.swarm_key(random))
    for name in missing:
        key = (shared / identities.SWARM_KEY).read_text(encoding="ascii")
        identities.write_secret(folder / name / SECRETS / identities.SWARM_KEY, key)
    return plan


def plan(spec: Spec, folder: Path) -> Plan:
    """What `write` would do; nothing is made, so files with keys still to make are left out."""
    missing = tuple(one.name for one in spec.organisations if one.identity is None)
    if missing:
        _kept(spec, folder)
        names = render.names()
        files = {f"{one.name}/{name}": "" for one in spec.organisations for name in names}
        return Plan(folder, spec, {}, {GENESIS: ""} | files, missing, False)
    return _planned(spec, folder, missing)


def _planned(spec: Spec, folder: Path, missing: tuple[str, ...]) -> Plan:
    kept = _kept(spec, folder)
    genesis = kept or besu.genesis(spec)
    files = {GENESIS: json.dumps(genesis, indent=2) + "\n"}
    for one in spec.organisations:
        for name, text in render.files_of(spec, one, genesis).items():
            files[f"{one.name}/{name}"] = text
    return Plan(folder, spec, genesis, files, missing, kept is not None)


def _kept(spec: Spec, folder: Path) -> dict[str, Any] | None:
    path = folder / GENESIS
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Invalid(f"{path} is no genesis file.")
    besu.require_same_chain(document, spec)
    return document


def _known(one: Organisation, folder: Path, random: Random) -> Organisation:
    if one.identity is not None:
        return one
    identity = identities.make(folder / one.name / SECRETS, random)
    _write_password_file(folder / one.name)
    return one.known_as(identity)


def _write_password_file(folder: Path) -> None:
    """The password once more as containers take it: an environment file."""
    secrets = folder / SECRETS
    password = (secrets / identities.DATABASE_PASSWORD).read_text(encoding="ascii").strip()
    identities.write_secret(secrets / "database.env", render.database_environment(password))
