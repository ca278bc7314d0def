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
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from simdes.exchange.research import criteria, passing
from simdes.exchange.research.studies import Document, Stands, stands
from simdes.exchange.research.taking_part import secret_of, tag_in
from simdes.exchange.research.telling import patiently, tell
from simdes.exchange.signin import Session, held
from simdes.fhir.json import loads
from simdes.ledger import events
from simdes.ledger.studies import MOST_MEMBERS
from simdes.research import release as releases
from simdes.research.picturing import html_report
from simdes.research.policy import Policy
from simdes.research.tables import write_tables
from simdes.research.views import views

LETTER_INFO: Final = b"simdes/study-release/v1"
PART_BYTES: Final = 4 * 1024 * 1024
MANIFEST, TERMS, ABOUT = "manifest.json", "terms.txt", "release.json"
KEPT_SECONDS: Final = 365 * 86_400
"""How long a release may be kept, unless its researcher says less."""

Resource = dict[str, Any]


Progress = Callable[[int, int], None]
"""Is told how many of those who take part were read, and how many they are; once more before the
ledger takes the release. What it raises ends that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A recorded release: its numbers, how many are in it, what the policy's report says, and the
    same in pictures (HTML) for who releases and the board.

    It has one number for every 2,000 patients, in the order of their tags.
    """

    study: bytes
    numbers: tuple[int, ...]
    members: int
    manifest: bytes
    report: Mapping[str, Any]
    pictures: str
    package: Path

    @property
    def number(self) -> int:
        """The number that it goes by: its first."""
        return self.numbers[0]


@dataclass(frozen=True, slots=True)
class _Member:
    consent: Consent
    tag: bytes

    @property
    def vault(self) -> bytes:
        return self.consent.vault


def release(
    node: Node,
    session: Session,
    document: Document,
    policy: Policy,
    package: Path,
    *,
    kept_seconds: int = KEPT_SECONDS,
    tables: Sequence[str] = (),
    progress: Progress = lambda done, total: None,
    most_bytes: int | None = None,
) -> Released:
    """Make a release of a study into a file that this organisation's researchers alone can open.

    ``tables``: flat tables besides NDJSON, as ``csv`` or ``parquet``. Memory grows with people, by
    some hundred bytes each, and with the largest class, not with their records. ``most_bytes``:
    how large the package may be; TooLarge, and nothing is recorded, beyond that.

    Raises Forbidden where the session is no researcher of the sponsor, Conflict where the study
    doesn't run, nobody is left in the release, or somebody withdrew meanwhile (then nothing was
    released, and it may be made again), Unavailable where custodians do not enter it (`tell`).
    """
    found = _require_released(node, session, document)
    session = held(session)  # reading many takes longer than a token lives
    if package.exists():
        raise Conflict(f"{package.name} exists already.")
    members = {f"0x{one.vault.hex()}": one for one in _members(node, session, found)}
    with passing.folder("release") as place:
        work, into = place / "work", place / "into"
        work.mkdir()
        outcome = releases.make_release(
            _resources(node, session, found, members, progress),
            policy,
            secret=_secret(node, found.id),
            today=datetime.datetime.fromtimestamp(node.now_seconds(), datetime.UTC).date(),
            work=work,
            into=into,
        )
        included = [members[subject] for subject in outcome.subjects]
        _require_anybody(included)
        if tables:
            write_tables(into, views().values(), formats=tables)
        until = node.now_seconds() + kept_seconds
        told = releases.manifest(outcome, into, study=f"0x{found.id.hex()}")
        manifest = _manifest(node, included, told, until)
        drafted = place / "package"
        _seal(node, into, drafted, manifest, document.terms)
        if most_bytes is not None and drafted.stat().st_size > most_bytes:
            raise TooLarge(
                "The release is larger than a page makes one.",
                advice="Make a release this large by the command “simdes study run”.",
            )
        progress(len(members), len(members))
        numbers = _record(node, found, manifest, policy.digest, until, included)
        about = msgspec.json.encode({"study": f"0x{found.id.hex()}", "numbers": numbers})
        with zipfile.ZipFile(drafted, "a") as file:
            file.writestr(ABOUT, about)
        _enter(node, session, found, numbers, included, manifest)
        shutil.move(drafted, package)
    return Released(
        study=found.id,
        numbers=numbers,
        members=len(included),
        manifest=manifest,
        report=outcome.report(),
        pictures=html_report(outcome, title=document.title),
        package=package,
    )


def _require_anybody(included: Sequence[_Member]) -> None:
    if not included:
        raise Conflict(
            "Nobody is left in the release: too few meet the criteria, or are alike.",
            advice="Wait for more patients; what was read stands in their logs.",
        )


def _enter(
    node: Node,
    session: Session,
    found: Stands,
    numbers: tuple[int, ...],
    included: list[_Member],
    manifest: bytes,
) -> None:
    """Write a recorded release into our trail and have the other custodians enter it."""
    _on_record(node, session, included, manifest)
    parts = parts_of(sorted(one.tag for one in included))
    tell(
        node,
        session,
        study=found.id,
        parts=dict(zip(numbers, parts, strict=True)),
        released={one.tag: one.consent for one in included},
    )


def taking_part(node: Node, session: Session, document: Document) -> int:
    """How many take part now, and would be read for a release; nobody is read. Raises as that."""
    found = _require_released(node, session, document)
    return sum(1 for _ in _members(node, session, found, joining=False))


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


def _members(
    node: Node, session: Session, found: Stands, *, joining: bool = True
) -> Iterator[_Member]:
    """Who takes part now, by their standing consents: one member for each vault.

    ``joining``: who stands by is put among those who take part.
    """
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
        tag = _tag_of(node, found, consent, joining=joining)
        if tag is not None:
            seen.add(consent.vault)
            yield _Member(consent, tag)


def _tag_of(node: Node, found: Stands, consent: Consent, *, joining: bool) -> bytes | None:
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
    if known != found.id and joining:
        node.agent.transact(studies.opt_in(found.id, tag))
    return tag


# What ------------------------------------------------------------------------------------------


def _resources(
    node: Node,
    session: Session,
    found: Stands,
    members: Mapping[str, _Member],
    progress: Progress,
) -> Iterator[tuple[str, Resource]]:
    """The records of those who meet the criteria, patient after patient."""
    asked = [one.criterion for one in found.document.criteria]
    today = node.now_seconds() // 86_400
    progress(0, len(members))
    for done, (subject, one) in enumerate(members.items(), start=1):
        resources = _read(node, session, one.vault, found.document.categories)
        if criteria.meets(asked, resources, today=today):
            for resource in resources:
                yield subject, resource
        progress(done, len(members))


def _read(node: Node, session: Session, vault: bytes, categories: Sequence[str]) -> list[Resource]:
    """A patient's records, as far as custodians open them now; those who are busy are waited for.

    Raises Unavailable where they stay away: who takes part is not left out for that.
    """
    purpose = Purpose.HRESCH.name
    try:
        read = patiently(
            lambda: retrieve.retrieve(
                node, session, vault=vault, categories=categories, purpose=purpose
            )
        )
    except (Forbidden, NotFound):
        return []  # withdrawn or revoked a moment ago; it is on record at the custodians
    return [loads(each.content) for each in read.resources]


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
) -> tuple[int, ...]:
    """Record a release, 2,000 tags at a time, once none of all is withdrawn."""
    studies = node.contracts.studies
    tags = sorted(one.tag for one in included)
    if len(tags) > MOST_MEMBERS and any(studies.tag(one) != (found.id, False) for one in tags):
        raise Conflict("Somebody withdrew meanwhile.", advice="Make the release again.")
    numbers = []
    for members in parts_of(tags):
        receipt = node.agent.transact(
            studies.record_release(
                found.id,
                manifest=hashlib.sha256(manifest).digest(),
                policy=policy,
                until=until,
                members=members,
            )
        )
        made = (node.contracts.decode(log) for log in receipt.logs)
        numbers += [one.number for one in made if isinstance(one, events.ReleaseRecorded)]
    return tuple(numbers)


def parts_of(tags: Sequence[bytes]) -> list[Sequence[bytes]]:
    """The tags of a release, ascending, as the ledger takes them: 2,000 at most under a number."""
    return [tags[at : at + MOST_MEMBERS] for at in range(0, len(tags), MOST_MEMBERS)]


def _on_record(node: Node, session: Session, included: list[_Member], manifest: bytes) -> None:
    """Our own entry for every patient who is in it, beside those of custodians (`tell`)."""
    named = (hashlib.sha256(manifest).digest(),)
    attempts = [
        replace(
            attempt_of(
                session.actor, Verb.RELEASED, one.vault, purpose=int(Purpose.HRESCH), records=named
            ),
            handle=one.consent.handle,
        )
        for one in included
    ]
    node.database.write(lambda tx: node.desk.trail.append(tx, attempts))
