"""A patient takes part in a study, stands by for an area of research, and leaves again.

Taking part is a consent that the patient signs: to the sponsor's researchers, for research alone,
in the categories that the study needs, and only while the ledger says that the study runs and the
patient's tag takes part (docs/formats/studies.md). Nobody signs for a patient; the gateway relays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from simdes.access.categories import Category, Role, category_mask, members
from simdes.access.consent import Consent, Grantee
from simdes.crypto.digest import sha256
from simdes.errors import Conflict, Forbidden, NotFound
from simdes.exchange import consents
from simdes.exchange.consents import What
from simdes.exchange.following import KnownConsent, known_consents
from simdes.exchange.node import Node
from simdes.exchange.research.studies import Document, area_of, id_of, stands
from simdes.exchange.signin import Session
from simdes.ledger import events

RESEARCHER: Final = "researcher"
PREFERRED_SECONDS: Final = 365 * 86_400
_SECRET: Final = b"simdes/participation/v1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Participation:
    """One consent to research of a vault: to whom, under which tag, what became of it.

    `group` is a study's id, or that of a preference; `releases` are the numbers of the study's
    releases that happened while the tag took part, none for a preference.
    """

    handle: bytes
    sponsor: bytes
    group: bytes
    tag: bytes
    categories: tuple[str, ...]
    open: bool
    withdrawn: bool
    releases: tuple[int, ...]


def secret_of(consent: Consent, group: bytes) -> bytes:
    """What a consent's tag in a group is made of, and what withdraws it."""
    return secret_under(consent.handle, consent.salt, group)


def secret_under(handle: bytes, salt: bytes, group: bytes) -> bytes:
    """The same of a consent's handle and salt (docs/formats/studies.md, "Taking part")."""
    return sha256(_SECRET + handle + salt + group)


def tag_in(node: Node, consent: Consent, group: bytes) -> bytes:
    """The tag of a consent in a group."""
    return node.contracts.studies.tag_for(group=group, secret=secret_of(consent, group))


def opt_in(node: Node, session: Session, document: Document, *, vault: bytes) -> Participation:
    """Take part in a study, as the patient, until it ends. Goes on where an earlier try stopped.

    Raises Conflict where the study is over or the vault takes part already, Forbidden where the
    session's account does not control the vault, NotFound for a study that the ledger doesn't have.
    """
    what, group = to_opt_in(node, session, document, vault=vault), id_of(node, document)
    before = unentered(node, vault, group, document.categories)
    granted = before or consents.grant(node, session, **what)
    enter(node, granted, group)
    return _told(node, granted, group=group)


def to_opt_in(node: Node, session: Session, document: Document, *, vault: bytes) -> What:
    """What `opt_in` grants, for a wallet to sign; raises as it."""
    _require_patient(session)
    found = stands(node, document)
    left = found.study.ends - node.now_seconds()
    if left <= 0:
        raise Conflict("The study is over.")
    if any(one.group == found.id and not one.withdrawn for one in listed(node, vault)):
        raise Conflict("You take part in this study already.")
    return _what(node, vault, found.sponsor, found.id, document.categories, left)


def unentered(node: Node, vault: bytes, group: bytes, categories: Sequence[str]) -> Consent | None:
    """A consent in these categories for a study or a preference, whose tag was not yet put among
    those who take part: somebody stopped, or was stopped, after it was signed."""
    now, bits = node.now_seconds(), category_mask(categories)
    for one in _of(node, vault):
        same = one.terms.categories == bits and one.terms.expiry > now
        if same and one.terms.condition_id == tag_in(node, one, group):
            entered, withdrawn = node.contracts.studies.tag(one.terms.condition_id)
            if entered != group and not withdrawn:
                return one
    return None


def enter(node: Node, granted: Consent, study: bytes) -> None:
    """Put the tag of a consent among those who take part in a study; again changes nothing."""
    studies, tag = node.contracts.studies, granted.terms.condition_id
    if studies.tag(tag)[0] != study:
        node.agent.transact(studies.opt_in(study, tag))


def prefer(
    node: Node,
    session: Session,
    *,
    vault: bytes,
    sponsor: bytes,
    area: str,
    categories: tuple[str, ...],
    valid_seconds: int = PREFERRED_SECONDS,
) -> Participation:
    """Stand by for every approved study of a sponsor in an area of research, as the patient.

    Raises Forbidden where the session's account does not control the vault.
    """
    what = to_prefer(
        node,
        session,
        vault=vault,
        sponsor=sponsor,
        area=area,
        categories=categories,
        valid_seconds=valid_seconds,
    )
    group = group_of(node, sponsor, area)
    granted = unentered(node, vault, group, categories) or consents.grant(node, session, **what)
    stand_by(node, granted, sponsor, area)
    return _told(node, granted, group=group)


def to_prefer(
    node: Node,
    session: Session,
    *,
    vault: bytes,
    sponsor: bytes,
    area: str,
    categories: tuple[str, ...],
    valid_seconds: int = PREFERRED_SECONDS,
) -> What:
    """What `prefer` grants, for a wallet to sign; raises as it."""
    _require_patient(session)
    group = group_of(node, sponsor, area)
    return _what(node, vault, sponsor, group, categories, valid_seconds)


def stand_by(node: Node, granted: Consent, sponsor: bytes, area: str) -> None:
    """Put the tag of a consent among those who stand by; again changes nothing."""
    studies, tag = node.contracts.studies, granted.terms.condition_id
    if studies.tag(tag)[0] != group_of(node, sponsor, area):
        node.agent.transact(studies.prefer(sponsor=sponsor, area=area_of(area), tag=tag))


def group_of(node: Node, sponsor: bytes, area: str) -> bytes:
    """What stands for a preference: a sponsor's studies of an area."""
    return node.contracts.studies.group_of(sponsor=sponsor, area=area_of(area))


def withdraw(
    node: Node, session: Session, *, vault: bytes, study: bytes
) -> tuple[Participation, ...]:
    """Leave a study for ever, as the patient: nothing is read from now on, and the patient is in no
    later release. What was released before is told, and can't be taken back.

    `study` is its id, or a preference's group. Of a preference, this study alone is left. Raises
    NotFound where the vault takes no part.
    """
    # The consent first: if the second step fails, nothing can be read all the same.
    for handle in to_revoke(node, session, vault=vault, study=study):
        consents.revoke(node, session, vault=vault, handle=handle)
    left = leave(node, session, vault=vault, study=study)
    if not left:
        raise NotFound("You take no part in this study.")
    return left


def to_revoke(node: Node, session: Session, *, vault: bytes, study: bytes) -> list[bytes]:
    """The handles of what has to be revoked before `leave`, by the key that controls the vault."""
    _require_patient(session)
    return [
        one.handle
        for one in _of(node, vault)
        if _concerns(node, one, study) and one.terms.condition_id == tag_in(node, one, study)
    ]


def leave(node: Node, session: Session, *, vault: bytes, study: bytes) -> tuple[Participation, ...]:
    """Withdraw the tags under which a vault takes part in a study for ever, which takes no key: of
    consents that were revoked, and of preferences that go on. None where there are none."""
    _require_patient(session)
    consents.require_control(node, session, vault)
    told, studies = [], node.contracts.studies
    for one in _all(node, vault):
        tag = tag_in(node, one.consent, study)
        withdrawn, own = studies.tag(tag)[1], one.consent.terms.condition_id == tag
        by_preference = one.active and not own and _concerns(node, one.consent, study)
        if by_preference or (own and not one.active and not withdrawn):
            if not withdrawn:
                secret = secret_of(one.consent, study)
                node.agent.transact(studies.withdraw(group=study, secret=secret))
            told.append(_told(node, one.consent, group=study))
    return tuple(told)


def listed(node: Node, vault: bytes) -> list[Participation]:
    """Every consent to research of a vault, oldest first, with what was released meanwhile."""
    studies = node.contracts.studies
    return [
        _told(node, one.consent, group=studies.tag(one.consent.terms.condition_id)[0])
        for one in _all(node, vault)
    ]


def _what(
    node: Node,
    vault: bytes,
    sponsor: bytes,
    group: bytes,
    categories: tuple[str, ...],
    valid_seconds: int,
) -> What:
    def tag(handle: bytes, salt: bytes) -> bytes:
        secret = secret_under(handle, salt, group)
        return node.contracts.studies.tag_for(group=group, secret=secret)

    return What(
        vault=vault,
        grantee=Grantee.role_in(sponsor, RESEARCHER),
        categories=categories,
        purposes=["HRESCH"],
        valid_seconds=valid_seconds,
        while_open=(node.contracts.addresses.studies, tag),
    )


def _all(node: Node, vault: bytes) -> Iterator[KnownConsent]:
    """Every consent to research of a vault, oldest first."""
    node.following.catch_up()
    for one in known_consents(node.desk, vault):
        if one.consent.terms.condition == node.contracts.addresses.studies:
            yield one


def _of(node: Node, vault: bytes) -> Iterator[Consent]:
    return (one.consent for one in _all(node, vault) if one.active)


def _concerns(node: Node, consent: Consent, group: bytes) -> bool:
    """Whether a consent is for a study (or is this preference), or a preference that covers it."""
    studies = node.contracts.studies
    own = studies.tag(consent.terms.condition_id)[0]
    if own == group or consent.terms.condition_id == tag_in(node, consent, group):
        return True
    study = studies.study(group)
    return study is not None and own == studies.group_of(sponsor=study.sponsor, area=study.area)


def _told(node: Node, consent: Consent, *, group: bytes) -> Participation:
    studies = node.contracts.studies
    tag = tag_in(node, consent, group)
    return Participation(
        handle=consent.handle,
        sponsor=consent.terms.grantee,
        group=group,
        tag=tag,
        categories=tuple(
            Category(bit).label for bit in members(consent.terms.categories, Category)
        ),
        open=studies.is_open(tag),
        withdrawn=studies.tag(tag)[1],
        releases=_releases(node, group, tag),
    )


def _releases(node: Node, study: bytes, tag: bytes) -> tuple[int, ...]:
    """Releases of a study between a tag's coming and its going: what it may be in."""
    contracts = node.contracts
    logs = contracts.ledger.logs(
        first=contracts.addresses.first_block,
        last=contracts.ledger.head().number,
        addresses=(contracts.addresses.studies,),
    )
    found: list[int] = []
    takes_part = False
    for log in logs:
        match contracts.decode(log):
            case events.OptedIn(tag=joined) if joined == tag:
                takes_part = True
            case events.Withdrawn(tag=gone) if gone == tag:
                takes_part = False
            case events.ReleaseRecorded(study=released, number=number) if released == study:
                found += [number] if takes_part else []
    return tuple(found)


def _require_patient(session: Session) -> None:
    if session.actor.role != Role.PATIENT:
        raise Forbidden("Only the patient says whether they take part.")
