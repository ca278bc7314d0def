"""What may be disclosed of a claim, line by line: each sealed once more, alone, for the insurer.

A record holds many resources; whoever is let at one sees all of them. So each line that an insurer
declared to need is sealed again in a body of its own, in the category ``disclosures``, and a
consent names exactly those. The patient finds them listed with the reason in a List.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from simdes.access.categories import Category, labels_of
from simdes.access.vaults import vault_key
from simdes.claims.plan import Need
from simdes.claims.reading import reference_of
from simdes.crypto.keys import unwrap
from simdes.crypto.seal import Item, seal
from simdes.errors import NotFound
from simdes.exchange.indexing import opened, resource_context
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import records
from simdes.exchange.prescriptions.records import Author
from simdes.exchange.provenance import instant, security_of
from simdes.fhir.json import loads
from simdes.index import claims, contents, resources, vaults
from simdes.index import records as sealed_records
from simdes.index.claims import Step
from simdes.index.records import NewLeaf, NewRecord
from simdes.index.resources import Resource
from simdes.index.transaction import Transaction

Json = dict[str, Any]

PROPOSAL_SYSTEM: Final = "urn:simdes:claim-disclosure"
"""The identifier system of the List of a claim's lines; the value is the claim's id in hex."""
RECORD_URL: Final = "urn:simdes:record"
"""The extension of an entry that names the record in which its line is sealed alone."""
_ASKED: Final = "The insurer asked for it"
_BILLING: Final = "The claim itself, who it is for, and by whom it is covered"
_CATEGORIES: Final = tuple(one for one in Category if one is not Category.DISCLOSURES)


def loaded(content: bytes) -> Json:
    """A resource from its bytes."""
    found: Json = loads(content)
    return found


def offer(node: Node, step: Step, needs: Sequence[Need]) -> bool:
    """Seal the lines of a claim and list them for the patient; False where that was done."""
    with node.database.read() as tx:
        if _listed(node, tx, step):
            return False
        chosen = _chosen(node, tx, step, needs)
    return _offer(node, step, chosen, records.software(node))


def offer_more(
    node: Node, step: Step, references: Sequence[str], author: Author, *, why: str = _ASKED
) -> None:
    """Seal and list what was asked for besides. Raises NotFound for what is not in the record."""
    with node.database.read() as tx:
        by_name = _held(node, tx, step)
    if any(one not in by_name for one in references):
        raise NotFound("This is not in the patient's record here.", advice="Name it as Type/id.")
    chosen = [(*by_name[one], why) for one in dict.fromkeys(references)]
    _offer(node, step, chosen, author, besides=True)


_Chosen = tuple[Resource, Json, str]
_Sealed = tuple[NewRecord, list[NewLeaf]]


def _offer(
    node: Node, step: Step, chosen: Sequence[_Chosen], author: Author, *, besides: bool = False
) -> bool:
    """Keep lines that were sealed alone and list them; ``besides``: other ones are listed already.

    False, and nothing is kept, where another worker was first: what no list names would never be
    erased.
    """
    known, written = _seal_alone(node, step, [row for row, _, _ in chosen])
    with node.database.read() as tx:
        subject = subject_of(node, tx, step)

    def write(tx: Transaction) -> bool:
        tx.lock(f"claim {step.tag.hex()}")
        if not besides and _listed(node, tx, step):
            return False
        _keep(tx, written, now_ms=node.now_ms())
        home = records.home_of(node, tx, step.vault)
        records.write(node, tx, home, [_list(node, step, chosen, known, subject)], author)
        return True

    return node.database.write(write)


def _keep(tx: Transaction, written: Sequence[_Sealed], *, now_ms: int) -> None:
    if not written:
        return
    sealed_records.add_again(tx, written)
    stored = [
        (cid, kind, record.record_id)
        for record, _ in written
        for cid, kind in ((record.body_cid, contents.BODY), (record.capsule_cid, contents.CAPSULE))
    ]
    contents.add(tx, stored, now_ms=now_ms)


def subject_of(node: Node, tx: Transaction, step: Step) -> Json:
    """Whose claim it is, as a reference."""
    found: Json = _held(node, tx, step)[f"Claim/{step.resource}"][1]["patient"]
    return found


def offered_since(node: Node, step: Step, since_seconds: int) -> frozenset[bytes] | None:
    """The records of the lines that were offered of a claim since then; None where none were."""
    with node.database.read() as tx:
        listed = _listed(node, tx, step)
    found = [one for one in listed if _listed_seconds(one) >= since_seconds]
    return frozenset(record for one in found for record in records_of(one)) if found else None


def _listed_seconds(listed: Json) -> int:
    return int(datetime.fromisoformat(listed["date"]).timestamp())


def sealed_of(node: Node, step: Step) -> list[bytes]:
    """The records in which a claim's lines are sealed alone and still kept."""
    with node.database.read() as tx:
        found = _listed(node, tx, step)
        ids = [record for one in found for record in records_of(one)]
        kept = contents.of_records(tx, ids) if ids else []
    return ids if any(one.state == contents.KEPT for one in kept) else []


def records_of(proposal: Json) -> list[bytes]:
    """The record of each entry of a proposal."""
    return [record_of(one) for one in proposal.get("entry") or ()]


def record_of(entry: Json) -> bytes:
    """The record that an entry of a proposal names."""
    found = next(one for one in entry["extension"] if one["url"] == RECORD_URL)
    return bytes.fromhex(found["valueString"])


def _listed(node: Node, tx: Transaction, step: Step) -> list[Json]:
    """The List of a claim, where it is written."""
    key = records.home_of(node, tx, step.vault).key
    rows = resources.of_vault(tx, step.vault, categories=_CATEGORIES, types=("List",))
    wanted = {"system": PROPOSAL_SYSTEM, "value": step.claim.hex()}
    return [found for one in rows if wanted in (found := opened(key, one)).get("identifier", ())]


def _chosen(node: Node, tx: Transaction, step: Step, needs: Sequence[Need]) -> list[_Chosen]:
    """The versions to disclose, as resources, each with the reason."""
    by_name = _held(node, tx, step)
    claim = by_name[f"Claim/{step.resource}"][1]
    names = [f"Claim/{step.resource}", *_of_claim(claim, step)]
    names += [
        name
        for name, (row, one) in by_name.items()
        if row.type == "DocumentReference" and _relates(one, f"Claim/{step.resource}")
    ]
    found = [(*by_name[one], _BILLING) for one in dict.fromkeys(names) if one in by_name]
    for need in needs:
        for name, (row, one) in by_name.items():
            if row.type == need.resource and name not in names and _belongs(one, step, claim, name):
                names.append(name)
                found.append((row, one, need.why))
    return found


def _held(node: Node, tx: Transaction, step: Step) -> dict[str, tuple[Resource, Json]]:
    """The newest versions of the patient's record here, by their references."""
    key = records.home_of(node, tx, step.vault).key
    every = []
    after = 0
    while rows := resources.of_vault(tx, step.vault, categories=_CATEGORIES, after=after):
        every += [(row, opened(key, row)) for row in rows]
        after = rows[-1].id
    return {f"{row.type}/{row.logical_id}": (row, one) for row, one in every}


def _of_claim(claim: Json, step: Step) -> list[str]:
    focal = [one for one in claim["insurance"] if one.get("focal") is True]
    provider = reference_of(claim.get("provider"))
    parts = [reference_of(claim["patient"]), *(reference_of(one["coverage"]) for one in focal)]
    return [*parts, provider, step.encounter]


def _relates(document: Json, name: str) -> bool:
    related = (document.get("context") or {}).get("related")
    return isinstance(related, list) and any(reference_of(one) == name for one in related)


def _belongs(resource: Json, step: Step, claim: Json, name: str) -> bool:
    """Whether a resource is of the claim's encounter, or one of its diagnoses."""
    context = resource.get("context")
    places = [resource.get("encounter"), context]
    if isinstance(context, dict):
        places += context.get("encounter") or []
    diagnoses = [
        reference_of(one.get("diagnosisReference")) for one in claim.get("diagnosis") or ()
    ]
    return step.encounter in map(reference_of, places) or name in diagnoses


def _seal_alone(
    node: Node, step: Step, rows: Sequence[Resource]
) -> tuple[dict[int, bytes], list[_Sealed]]:
    """Seal each version in a record of its own: the record of each by its row, and those to keep.

    What was offered of this claim before keeps its record. Claims share none: a record is erased
    when its claim ends, and another one may go on or begin anew.
    """
    tag = step.vault
    with node.database.read() as tx:
        vault = vaults.get(tx, tag)
        before = [record for one in _listed(node, tx, step) for record in records_of(one)]
        known = claims.sealed_alone(tx, [one.id for one in rows], before)
    assert vault is not None  # noqa: S101 (claimed in it)
    descriptor = node.desk.directory.vault(tag)
    key = vault_key(node.desk.keystore, vault)
    made = []
    for row in rows:
        if row.id in known:
            continue
        content = unwrap(
            key, row.content_wrapped, aad=resource_context(tag, row.type, row.logical_id)
        )
        record = seal(
            [Item(row.type, content, node.random(32))],
            vault=tag,
            category=Category.DISCLOSURES,
            labels=row.labels,
            epoch=descriptor.epoch,
            m=descriptor.m,
            custodians=descriptor.custodians,
            author=node.desk.keystore.lanes[0],
            organisation=node.organisation,
            random=node.random,
        )
        made.append((row, record))
    bodies = node.store.put_many([record.body for _, record in made])
    capsules = node.store.put_many([record.capsule for _, record in made])
    written = [
        (
            NewRecord(
                record_id=record.record_id,
                vault=tag,
                category=int(Category.DISCLOSURES),
                labels=row.labels,
                epoch=descriptor.epoch,
                body_cid=body,
                body_digest=record.body_digest,
                capsule_cid=capsule,
                organisation=node.organisation,
                author=node.desk.keystore.lanes[0].address,
                created_ms=node.now_ms(),
            ),
            [NewLeaf(record.leaves[0], row.id)],
        )
        for (row, record), body, capsule in zip(made, bodies, capsules, strict=True)
    ]

    return known | {row.id: record.record_id for row, record in made}, written


def _list(
    node: Node,
    step: Step,
    chosen: Sequence[_Chosen],
    sealed: dict[int, bytes],
    subject: Json,
) -> Json:
    labels = 0
    for _, one, _ in chosen:
        labels |= labels_of(one)
    return {
        "resourceType": "List",
        "id": node.new_id(),
        **security_of(labels),
        "identifier": [{"system": PROPOSAL_SYSTEM, "value": step.claim.hex()}],
        "status": "current",
        "mode": "snapshot",
        "title": "What an insurer asks to see of a claim",
        "subject": subject,
        "date": instant(node.now_ms()),
        "entry": [
            {
                "extension": [{"url": RECORD_URL, "valueString": sealed[row.id].hex()}],
                "flag": {"text": why or "Declared by the insurer"},
                "item": {"reference": f"{row.type}/{row.logical_id}"},
            }
            for row, _, why in chosen
        ],
        "note": [{"text": f"insurer 0x{step.other.hex()}"}],
    }
