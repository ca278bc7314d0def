"""A release: who takes part and meets the criteria is read, de-identified, recorded and sealed.

docs/formats/studies.md, "Release"; docs/research.md. The order matters: patients are read under
their own consents, at custodians who ask the ledger; what may leave is made by the policy; the
ledger takes the tags of all who are in it, and refuses whoever withdrew meanwhile; only then is
there a package that anybody could open.
"""

from __future__ import annotations

import datetime
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from simdes.access.audit_event import Verb
from simdes.access.categories import Purpose, Role
from simdes.access.consent import Consent
from simdes.crypto.digest import sha256
from simdes.crypto.letter import seal_letter
from simdes.errors import Conflict, Forbidden, NotFound, TooLarge
from simdes.exchange import retrieve
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of
from simdes.exchange.research import criteria
from simdes.exchange.research.studies import Document, Stands, stands
from simdes.exchange.research.taking_part import secret_of, tag_in
from simdes.exchange.signin import Session
from simdes.fhir.json import loads
from simdes.ledger import events
from simdes.ledger.studies import MOST_MEMBERS
from simdes.research import release as releases
from simdes.research.policy import Policy
from simdes.research.tables import write_tables
from simdes.research.views import views

LETTER_INFO: Final = b"simdes/study-release/v1"
PART_BYTES: Final = 4 * 1024 * 1024
MANIFEST, TERMS, ABOUT = "manifest.json", "terms.txt", "release.json"
KEPT_SECONDS: Final = 365 * 86_400
"""How long a release may be kept, unless its researcher says less."""

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A recorded release: its number, how many are in it, what the policy's report says."""

    study: bytes
    number: int
    members: int
    manifest: bytes
    report: Mapping[str, Any]
    package: Path


@dataclass(frozen=True, slots=True)
class _Member:
    vault: bytes
    tag: bytes


def release(
    node: Node,
    session: Session,
    document: Document,
    policy: Policy,
    package: Path,
    *,
    kept_seconds: int = KEPT_SECONDS,
    tables: Sequence[str] = (),
) -> Released:
    """Make a release of a study into a file that this organisation's researchers alone can open.

    ``tables``: flat tables besides NDJSON, as ``csv`` or ``parquet``.

    Raises Forbidden where the session is no researcher of the sponsor, Conflict where the study
    doesn't run, nobody is left in the release, or somebody withdrew meanwhile (then nothing was
    released, and it may be made again).
    """
    found = _require_released(node, session, document)
    if package.exists():
        raise Conflict(f"{package.name} exists already.")
    members = {f"0x{one.vault.hex()}": one for one in _members(node, session, found)}
    with tempfile.TemporaryDirectory(prefix="simdes-release-") as place:
        work, into = Path(place) / "work", Path(place) / "into"
        work.mkdir()
        outcome = releases.make_release(
            _resources(node, session, found, members),
            policy,
            secret=_secret(node, found.id),
            today=datetime.datetime.fromtimestamp(node.now_seconds(), datetime.UTC).date(),
            work=work,
            into=into,
        )
        included = [members[subject] for subject in outcome.subjects]
        if not included:
            raise Conflict(
                "Nobody is left in the release: too few meet the criteria, or are alike.",
                advice="Wait for more patients; what was read stands in their logs.",
            )
        if tables:
            write_tables(into, views().values(), formats=tables)
        until = node.now_seconds() + kept_seconds
        told = releases.manifest(outcome, into, study=f"0x{found.id.hex()}")
        manifest = _manifest(node, included, told, until)
        drafted = Path(place) / "package"
        _seal(node, into, drafted, manifest, document.terms)
        number = _record(node, found, manifest, policy.digest, until, included)
        about = msgspec.json.encode({"study": f"0x{found.id.hex()}", "number": number})
        with zipfile.ZipFile(drafted, "a") as file:
            file.writestr(ABOUT, about)
        shutil.move(drafted, package)
    _on_record(node, session, included)
    return Released(
        study=found.id,
        number=number,
        members=len(included),
        manifest=manifest,
        report=outcome.report(),
        package=package,
    )


def _require_released(node: Node, session: Session, document: Document) -> Stands:
    found = stands(node, document)
    if session.actor.role != Role.RESEARCHER or found.sponsor != node.organisation:
        raise Forbidden("Only a researcher of the study's sponsor makes a release.")
    if session.actor.organisation != node.organisation:
        raise Forbidden("Only a researcher of the study's sponsor makes a release.")
    if not found.running:
        raise Conflict("The study is not approved, has not begun or is over.")
    return found


# Who -------------------------------------------------------------------------------------------


def _members(node: Node, session: Session, found: Stands) -> Iterator[_Member]:
    """Who takes part now, by their standing consents: one member for each vault."""
    node.following.catch_up()
    address = node.contracts.addresses.studies
    with node.database.read() as tx:
        vaults = node.standing.vaults(tx, session.actor)
        standing = [
            one.consent
            for one in node.standing.of(
                tx, session.actor, Purpose.HRESCH, vaults, now_seconds=node.now_seconds()
            )
            if one.consent.terms.condition == address
        ]
    seen: set[bytes] = set()
    for consent in standing:
        if consent.vault in seen:
            continue
        tag = _tag_of(node, found, consent)
        if tag is not None:
            seen.add(consent.vault)
            yield _Member(consent.vault, tag)


def _tag_of(node: Node, found: Stands, consent: Consent) -> bytes | None:
    """Under which tag a consent's vault takes part in the study; None where it doesn't."""
    studies = node.contracts.studies
    group, withdrawn = studies.tag(consent.terms.condition_id)
    if group == found.id:
        return None if withdrawn else consent.terms.condition_id
    preference = studies.group_of(sponsor=found.sponsor, area=found.study.area)
    if group != preference or withdrawn:
        return None
    if studies.tag_for(group=group, secret=secret_of(consent, group)) != consent.terms.condition_id:
        return None
    tag = tag_in(node, consent, found.id)
    known, left = studies.tag(tag)
    if left:
        return None
    if known != found.id:
        node.agent.transact(studies.opt_in(found.id, tag))
    return tag


# What ------------------------------------------------------------------------------------------


def _resources(
    node: Node, session: Session, found: Stands, members: Mapping[str, _Member]
) -> Iterator[tuple[str, Resource]]:
    """The records of those who meet the criteria, patient after patient."""
    asked = [one.criterion for one in found.document.criteria]
    today = node.now_seconds() // 86_400
    for subject, one in members.items():
        try:
            read = retrieve.retrieve(
                node,
                session,
                vault=one.vault,
                categories=found.document.categories,
                purpose=Purpose.HRESCH.name,
            )
        except (Forbidden, NotFound):
            continue  # withdrawn or revoked a moment ago; it is on record at the custodians
        resources = [loads(each.content) for each in read.resources]
        if criteria.meets(asked, resources, today=today):
            for resource in resources:
                yield subject, resource


def _secret(node: Node, study: bytes) -> bytes:
    """What makes a study's pseudonyms: the same for each of its releases, known here alone."""
    signature = node.desk.keystore.lanes[0].sign(sha256(b"simdes/study-secret/v1\0" + study))
    return sha256(signature)


# Recorded and sealed ---------------------------------------------------------------------------


def _manifest(node: Node, included: list[_Member], told: Mapping[str, Any], until: int) -> bytes:
    addresses = node.contracts.addresses
    return msgspec.json.encode(
        {
            "v": 1,
            "chain": addresses.chain_id,
            "contract": f"0x{addresses.studies.hex()}",
            "members": [f"0x{tag.hex()}" for tag in sorted(one.tag for one in included)],
            "until": until,
            **told,
        },
        order="sorted",
    )


def _seal(node: Node, into: Path, drafted: Path, manifest: bytes, terms: str) -> None:
    """Write the package: the manifest in clear, each file in sealed parts."""
    public = node.desk.directory.organisation(node.organisation).public
    with zipfile.ZipFile(drafted, "w", zipfile.ZIP_STORED) as file:
        file.writestr(MANIFEST, manifest)
        file.writestr(TERMS, terms)
        for path in sorted(one for one in into.rglob("*") if one.is_file()):
            with path.open("rb") as content:
                number = 0
                while part := content.read(PART_BYTES):
                    name = f"{path.relative_to(into)}.{number:05}"
                    info = LETTER_INFO + sha256(manifest) + name.encode()
                    letter = seal_letter(part, [public], info=info, random=node.random)
                    file.writestr(f"sealed/{name}", letter)
                    number += 1


def _record(
    node: Node,
    found: Stands,
    manifest: bytes,
    policy: bytes,
    until: int,
    included: list[_Member],
) -> int:
    if len(included) > MOST_MEMBERS:
        raise TooLarge(
            f"A release has {MOST_MEMBERS} patients at most.",
            advice="Divide the study's cohort by a criterion.",
        )
    receipt = node.agent.transact(
        node.contracts.studies.record_release(
            found.id,
            manifest=hashlib.sha256(manifest).digest(),
            policy=policy,
            until=until,
            members=[one.tag for one in included],
        )
    )
    made = (node.contracts.decode(log) for log in receipt.logs)
    [number] = [one.number for one in made if isinstance(one, events.ReleaseRecorded)]
    return number


def _on_record(node: Node, session: Session, included: list[_Member]) -> None:
    """An entry for every patient who is in it, beside those of the readings at custodians."""
    attempts = [
        attempt_of(session.actor, Verb.READ, one.vault, purpose=int(Purpose.HRESCH))
        for one in included
    ]
    node.database.write(lambda tx: node.desk.trail.append(tx, attempts))
