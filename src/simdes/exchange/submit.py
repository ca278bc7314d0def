"""Submit: mapped messages become durable records of a patient's vault (ARCHITECTURE.md, "submit").

A message is acknowledged once its resources, encrypted under the vault's local key, and their
outbox rows are durable; sealing, storing and anchoring follow in `anchoring`. A patient unknown
here gets a provisional vault at once, opened on the network by the same worker, so that a feed
never waits for other organisations. What can't be accepted is kept in quarantine with a reason.
The same message twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simdes.access.vaults import new_vault, vault_key
from simdes.crypto.digest import sha256
from simdes.crypto.keys import wrap
from simdes.errors import SimdesError
from simdes.exchange import keeping
from simdes.exchange.bundle import Submitted, identifiers_of, resources_of
from simdes.exchange.node import Node
from simdes.fhir.validate import validate
from simdes.index import outbox, resources, sources, vaults
from simdes.index.transaction import Repeat, Transaction
from simdes.index.vaults import Identifier, Vault
from simdes.mapper import Mapped, Mapping, Quarantined

GROUP = 32
"""Messages that share one durable commit."""

_RESOURCE = b"simdes/resource/v1"
_SOURCE = b"simdes/source/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A durable message. ``resources`` were new or changed; ``unchanged`` were here already."""

    name: str
    index: int
    event: str
    vault: bytes
    resources: int
    unchanged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message kept in quarantine, with why and what to do; holds no patient data."""

    name: str
    index: int
    code: str
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class _Ready:
    """A message that passed every check that needs no database."""

    name: str
    message: Mapped
    resources: tuple[Submitted, ...]
    identifiers: tuple[Identifier, ...]


def submit(node: Node, mapping: Mapping) -> tuple[Accepted | Refused, ...]:
    """Make one input's messages durable, in their order; returns when they are.

    Raises Unavailable where the database does not answer; then nothing of the group was accepted.
    """
    return submit_all(node, [mapping])[0]


def submit_all(node: Node, mappings: Sequence[Mapping]) -> list[tuple[Accepted | Refused, ...]]:
    """Make several inputs' messages durable, in their order; one answer for each input.

    Messages of different inputs share durable commits, `GROUP` at a time, so that many small
    inputs at once cost no more than a large one. Raises as `submit` does.
    """
    taken = accept_all(node, mappings)
    keeping.keep(
        node,
        [
            keeping.Arrived(mapping.name, mapping.kind, one)
            for mapping, found in zip(mappings, taken, strict=True)
            for one in found
            if isinstance(one, Quarantined)
        ],
    )
    return [
        tuple(_refused(mapping.name, one) if isinstance(one, Quarantined) else one for one in found)
        for mapping, found in zip(mappings, taken, strict=True)
    ]


def accept_all(node: Node, mappings: Sequence[Mapping]) -> list[tuple[Accepted | Quarantined, ...]]:
    """What `submit_all` does with what can be accepted; the rest comes back and is kept nowhere."""
    answers: list[list[Accepted | Quarantined]] = [list(one.quarantined) for one in mappings]
    waiting = [
        (number, mapping.name, message)
        for number, mapping in enumerate(mappings)
        for message in mapping.messages
    ]
    for start in range(0, len(waiting), GROUP):
        group = waiting[start : start + GROUP]
        found = _accept_group(node, [(name, message) for _, name, message in group])
        for (number, _, _), answer in zip(group, found, strict=True):
            answers[number].append(answer)
    return [tuple(sorted(found, key=lambda answer: answer.index)) for found in answers]


def check(mapping: Mapping) -> tuple[Accepted | Refused, ...]:
    """What `submit` would answer, as far as that can be told without a database."""
    answers: list[Accepted | Refused] = [_refused(mapping.name, one) for one in mapping.quarantined]
    for message in mapping.messages:
        checked = _check(mapping.name, message)
        if isinstance(checked, Quarantined):
            answers.append(_refused(mapping.name, checked))
        else:
            answers.append(
                Accepted(
                    name=mapping.name,
                    index=message.index,
                    event=message.event,
                    vault=b"",
                    resources=len(checked.resources),
                    unchanged=0,
                )
            )
    return tuple(sorted(answers, key=lambda answer: answer.index))


def resource_context(vault: bytes, type_: str, logical_id: str) -> bytes:
    """What a wrapped resource is bound to, so that rows can't be exchanged for one another."""
    return _RESOURCE + sha256(vault + f"{type_}/{logical_id}".encode())


def _accept_group(
    node: Node, messages: Sequence[tuple[str, Mapped]]
) -> list[Accepted | Quarantined]:
    """Store a group of named messages in one commit; one answer each, in their order."""
    checked = [_check(name, message) for name, message in messages]
    ready = [one for one in checked if isinstance(one, _Ready)]
    stored = iter(node.database.write(lambda tx: [_store(node, tx, one) for one in ready]))
    return [next(stored) if isinstance(one, _Ready) else one for one in checked]


def _check(name: str, message: Mapped) -> _Ready | Quarantined:
    """Validate a message's Bundle and take it apart; every reason to refuse it has a code."""
    errors = [problem for problem in validate(message.bundle) if problem.severity == "error"]
    if errors:
        where = "; ".join(f"{one.expression}: {one.message}" for one in errors[:3])
        return _refusal(message, "not-valid-r4", f"{len(errors)} errors, first {where}")
    try:
        found = resources_of(message.bundle)
        # Asked first: a Bundle of several patients must never reach one patient's vault.
        named = identifiers_of(message.bundle)
        pairs = message.patient_identifiers or named
    except SimdesError as error:
        return _refusal(message, "unusable", error.message, error.advice)
    identifiers = tuple(Identifier(system, value) for system, value in pairs)
    if not identifiers:
        return _refusal(
            message,
            "no-patient-identifier",
            "The message names no patient by an identifier.",
            "Send the patient's identifier (PID-3, or Patient.identifier) and replay it.",
        )
    return _Ready(name, message, found, identifiers)


def _refusal(
    message: Mapped,
    code: str,
    reason: str,
    advice: str = "Correct the message, or the mapping, and replay it.",
) -> Quarantined:
    return Quarantined(
        index=message.index, reason_code=code, reason=reason, advice=advice, source=message.source
    )


def _store(node: Node, tx: Transaction, ready: _Ready) -> Accepted | Quarantined:
    known = vaults.find_many(tx, ready.identifiers)
    tags = set(known.values())
    if len(tags) > 1:
        return _refusal(
            ready.message,
            "identifiers-of-two-patients",
            "The message's identifiers belong to different patients here.",
            "Find out who the patient is; merge the two, or correct the identifiers.",
        )
    vault = _vault(node, tx, tags, ready.identifiers)
    key = vault_key(node.desk.keystore, vault)
    source = _store_source(node, tx, ready, vault.tag, key)
    rows = (
        []
        if source is None
        else [_row(node, vault.tag, key, one, source) for one in ready.resources]
    )
    created = [one.id for one in resources.add(tx, rows) if one.created]
    outbox.add(tx, created)
    return Accepted(
        name=ready.name,
        index=ready.message.index,
        event=ready.message.event,
        vault=vault.tag,
        resources=len(created),
        unchanged=len(ready.resources) - len(created),
    )


def _vault(
    node: Node, tx: Transaction, tags: set[bytes], identifiers: Iterable[Identifier]
) -> Vault:
    """The patient's vault, a new provisional one for a patient unknown here.

    Raises Repeat where another transaction linked an identifier elsewhere since we looked.
    """
    vault = vaults.get(tx, tags.pop()) if tags else None
    if vault is None:
        vault = new_vault(
            tx,
            node.desk.keystore,
            m=node.shares_needed,
            n=node.custodians,
            random=node.random,
            now_ms=node.now_ms(),
        )
    linked = {vaults.link(tx, identifier, vault.tag) for identifier in identifiers}
    if linked - {vault.tag}:
        raise Repeat("Another feed met the same patient at the same moment")  # and was first
    return vault


def _store_source(node: Node, tx: Transaction, ready: _Ready, tag: bytes, key: bytes) -> int | None:
    """Keep the message as it came; None where the very same bytes were accepted before."""
    content = ready.message.source
    digest = sha256(content)
    return sources.add(
        tx,
        sources.NewSource(
            digest=digest,
            kind=ready.message.event,
            content_wrapped=wrap(key, content, aad=_SOURCE + digest, random=node.random),
            vault=tag,
            received_ms=node.now_ms(),
            resources=len(ready.resources),
        ),
    )


def _row(node: Node, tag: bytes, key: bytes, one: Submitted, source: int) -> resources.NewResource:
    context = resource_context(tag, one.type, one.logical_id)
    return resources.NewResource(
        type=one.type,
        logical_id=one.logical_id,
        vault=tag,
        category=one.category,
        labels=one.labels,
        content_wrapped=wrap(key, one.content, aad=context, random=node.random),
        digest=sha256(one.content),
        salt=node.random(32),
        source_id=source,
        created_ms=node.now_ms(),
    )


def _refused(name: str, refused: Quarantined) -> Refused:
    return Refused(
        name=name,
        index=refused.index,
        code=refused.reason_code,
        reason=refused.reason,
        advice=refused.advice,
    )
