"""Fingerprints of accepted claims: evaluated by custodians, published in batches, compared.

An insurer blinds what it fingerprints, has m custodians evaluate it, checks each one's proof, and
keeps what every fingerprint is of. What it publishes to other insurers lies sorted among dummies.
What it finds published elsewhere is a signal with a reason (`simdes.claims.signals`); nobody learns
a line of somebody else's claims. Format: ``docs/formats/fingerprints.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from simdes.access.asking import ask
from simdes.access.categories import Kind, State
from simdes.access.fingerprint_messages import MAX_EVALUATED, EvaluateBody, FingerprintsBody
from simdes.access.requests import Answer, hexed
from simdes.claims.reading import reference_of
from simdes.claims.signals import By, Mark, Marked, Match, Pair, Seen, Signal, marks_of, signals_of
from simdes.crypto import cbor, oprf, oprf_shares
from simdes.crypto.oprf import Blinded, Evaluation
from simdes.crypto.oprf_forms import Key
from simdes.errors import (
    Forbidden,
    Invalid,
    NotFound,
    SimdesError,
    Tampered,
    TooLarge,
    Unavailable,
    Unsupported,
)
from simdes.exchange.claims.fingerprint_keys import in_use
from simdes.exchange.node import Node
from simdes.index import chain
from simdes.index import fingerprints as rows
from simdes.index.transaction import Transaction
from simdes.index.vaults import ORGANISATION

FINGERPRINT_BYTES: Final = 16
BATCH: Final = 64
"""Batches are padded with dummies to a multiple of this."""
MOST_PUBLISHED: Final = 4_032
"""Fingerprints of ours in one batch; what is left waits for the next one."""
MOST_IN_BATCH: Final = 65_536


@dataclass(frozen=True, slots=True)
class Read:
    """What came of reading other insurers: how many batches, and who did not answer and why."""

    batches: int
    silent: dict[bytes, str]


def fingerprint(
    node: Node, claim: str, seen: Seen, *, pairs: Sequence[Pair] = (), accepted: bool = False
) -> int:
    """Fingerprint the lines of a claim; how many there are. They are evaluated once, and published
    once the claim is ``accepted``.

    Raises NotFound without a key in use, TooLarge where custodians' limits of the day are reached,
    Unavailable where too few answer, Tampered (naming the organisation) where one lies and nobody
    takes its place.
    """
    key = in_use(node)
    with node.database.read() as tx:
        known = rows.of_claim(tx, key.public, claim)
    if not known:
        plan = key.plan
        places = (*plan.places, ORGANISATION)
        marks = marks_of(seen, persons=plan.persons, places=places, pairs=pairs)
        made = evaluate(node, key, [one.input for one in marks])
        known = [_line(key, claim, one, value) for one, value in zip(marks, made, strict=True)]

    def write(tx: Transaction) -> None:
        rows.add_lines(tx, known)
        if accepted:
            rows.accept(tx, key.public, claim)

    node.database.write(write)
    return len(known)


def _line(key: Key, claim: str, one: Marked, value: bytes) -> rows.LineRow:
    return rows.LineRow(
        function=key.public,
        fingerprint=value,
        kind=one.mark.value,
        matched_by=one.by.value,
        detail=one.detail,
        claim=claim,
        line=one.line,
        day=one.day,
        coordinated=int(one.coordinated),
        accepted=0,
    )


def claims_in(bundles: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Seen]]:
    """Every Claim of these Bundles by its business identifier, with what it refers to there.

    Raises Invalid for one without an identifier, or whose patient is not there.
    """
    for bundle in bundles:
        entries = bundle.get("entry") or ()
        by = {str(one.get("fullUrl", "")): one["resource"] for one in entries}
        by |= {f"{one['resourceType']}/{one.get('id')}": one for one in by.values()}
        for claim in (e["resource"] for e in entries):
            if claim["resourceType"] == "Claim":
                yield _named(claim), _seen(claim, by)


def _named(claim: Mapping[str, Any]) -> str:
    for one in claim.get("identifier") or ():
        if one.get("value"):
            return f"{one.get('system', '')}|{one['value']}"
    raise Invalid("A claim to be fingerprinted has an identifier.")


def _seen(claim: Mapping[str, Any], by: Mapping[str, Mapping[str, Any]]) -> Seen:
    patient = by.get(reference_of(claim.get("patient")))
    if patient is None:
        raise Invalid("A claim to be fingerprinted comes with its patient.")
    encounters = [
        by[name]
        for item in claim.get("item") or ()
        for one in item.get("encounter") or ()
        if (name := reference_of(one)) in by
    ]
    return Seen(
        claim=claim,
        patient=patient,
        provider=by.get(reference_of(claim.get("provider"))),
        encounter=encounters[0] if encounters else None,
    )


# Evaluating ---------------------------------------------------------------------------------------


def evaluate(node: Node, key: Key, inputs: Sequence[bytes]) -> list[bytes]:
    """The fingerprints of inputs in their order; see `fingerprint` for what it raises."""
    asking = _Asking(node, key)
    found: list[bytes] = []
    for at in range(0, len(inputs), MAX_EVALUATED):
        batch = [oprf.blind(one, random=node.random) for one in inputs[at : at + MAX_EVALUATED]]
        found += asking.batch(batch)
    return found


_REFUSALS: Final = (Forbidden, NotFound, Tampered, TooLarge, Unavailable, Unsupported)


class _Asking:
    """Custodians in a random order, each dropped for good once it refuses, is silent or lies."""

    def __init__(self, node: Node, key: Key) -> None:
        self._node, self._key = node, key
        drawn = [(node.random(8), one) for one in enumerate(key.plan.custodians, 1)]
        self._left = [one for _, one in sorted(drawn)]
        self._errors: list[SimdesError] = []

    def batch(self, blinded: Sequence[Blinded]) -> list[bytes]:
        """The fingerprints of one batch, from m custodians whose proofs hold."""
        m, elements = self._key.plan.m, [one.element for one in blinded]
        answers: dict[int, Evaluation] = {}
        for index, organisation in list(self._left):
            try:
                answers[index] = self._ask(index, organisation, elements)
            except _REFUSALS as error:
                self._left.remove((index, organisation))
                self._errors.append(error)
            if len(answers) == m:
                break
        if len(answers) < m:
            raise _worst(self._errors)
        weights = oprf_shares.weights(sorted(answers))
        return [
            oprf.finalize(
                one,
                oprf_shares.join_elements(
                    {index: answer.elements[at] for index, answer in answers.items()}, weights
                ),
            )[:FINGERPRINT_BYTES]
            for at, one in enumerate(blinded)
        ]

    def _ask(self, index: int, organisation: bytes, elements: Sequence[bytes]) -> Evaluation:
        body = EvaluateBody(key=hexed(self._key.digest), elements=[hexed(one) for one in elements])
        answer = ask(self._node.agent_caller(), organisation, "evaluate", body)
        evaluation = _evaluation(answer, len(elements))
        try:
            oprf.verify(self._key.shares[index - 1], elements, evaluation)
        except Tampered as error:
            name = self._node.desk.directory.organisation(organisation).name
            raise Tampered(f"{name} did not evaluate with its share of the key.") from error
        return evaluation


def _evaluation(answer: Answer, count: int) -> Evaluation:
    elements = cbor.as_array(answer.body.get("elements"), "elements", least=count, most=count)
    return Evaluation(
        tuple(cbor.as_fixed(one, 32, "elements") for one in elements),
        cbor.as_fixed(answer.body.get("proof"), oprf.PROOF_BYTES, "proof"),
    )


_GRAVITY: Final = (Tampered, TooLarge, Forbidden, NotFound, Unavailable, Unsupported)


def _worst(found: Sequence[SimdesError]) -> SimdesError:
    for kind in _GRAVITY:
        for one in found:
            if isinstance(one, kind):
                return one
    return Unavailable("Too few custodians of fingerprints answer.")


# Publishing and reading ---------------------------------------------------------------------------


def publish(node: Node) -> int:
    """Publish what waits, among dummies and sorted; the batch's number.

    A batch is published when nothing waits, too, so that quiet times look like others.
    """
    function = in_use(node).public
    return node.database.write(lambda tx: _publish(node, tx, function))


def tend(node: Node) -> bool:
    """Publish and read others' once a period, where a key is in use; whether it was time.

    Processes of one organisation take turns: one of them publishes.
    """
    try:
        function = in_use(node).public
    except NotFound:
        return False
    with node.database.read() as tx:
        if not _is_due(node, tx, function):
            return False

    def write(tx: Transaction) -> bool:
        tx.lock("fingerprints")
        due = _is_due(node, tx, function)
        if due:
            _publish(node, tx, function)
        return due

    if not node.database.write(write):
        return False
    collect(node)
    return True


def _is_due(node: Node, tx: Transaction, function: bytes) -> bool:
    """Whether the period since the last batch is over, or the clock was set back since."""
    hours, now_ms = node.claims.publish_hours, node.now_ms()
    if not node.claims.pays or not hours:
        return False
    return not 0 <= now_ms - rows.published_ms(tx, function) < hours * 3_600_000


def _publish(node: Node, tx: Transaction, function: bytes) -> int:
    own = rows.waiting(tx, function, most=MOST_PUBLISHED)
    dummies = [node.random(FINGERPRINT_BYTES) for _ in range(-len(own) % BATCH or BATCH)]
    content = b"".join(sorted((*own, *dummies)))
    return rows.publish(tx, function, own, content, now_ms=node.now_ms())


def collect(node: Node) -> Read:
    """Read what other insurers published since the last time."""
    function = in_use(node).public
    with node.database.read() as tx:
        others = [
            one.id
            for one in chain.organisations(tx)
            if one.kind == Kind.INSURER
            and one.state == State.VERIFIED
            and one.id != node.organisation
        ]
    count, silent = 0, {}
    for one in others:
        try:
            count += _collect(node, function, one)
        except SimdesError as error:
            silent[one] = error.message
    return Read(count, silent)


def _collect(node: Node, function: bytes, organisation: bytes) -> int:
    count = 0
    while True:
        with node.database.read() as tx:
            after = rows.read_up_to(tx, function, organisation)
        body = FingerprintsBody(function=hexed(function), after=after)
        answer = ask(node.agent_caller(), organisation, "fingerprints", body)
        batches = _batches(answer, after)

        def write(tx: Transaction, batches: Sequence[rows.Batch] = batches) -> None:
            for one in batches:
                rows.see(tx, function, organisation, one, size=FINGERPRINT_BYTES)

        node.database.write(write)
        count += len(batches)
        if not batches or answer.body.get("more") != 1:
            return count


def _batches(answer: Answer, after: int) -> list[rows.Batch]:
    found = []
    for one in cbor.as_array(
        answer.body.get("batches"), "batches", least=0, most=rows.PAGE_BATCHES
    ):
        number, content = cbor.as_array(one, "batches", least=2, most=2)
        batch = rows.Batch(
            cbor.as_uint(number, (1 << 53) - 1, "batches"), cbor.as_bytes(content, "batches")
        )
        size = len(batch.content)
        if (
            batch.number <= after
            or size % FINGERPRINT_BYTES
            or (size > MOST_IN_BATCH * FINGERPRINT_BYTES)
        ):
            raise Tampered("An insurer's batches of fingerprints are out of order or malformed.")
        after = batch.number
        found.append(batch)
    return found


# Comparing ----------------------------------------------------------------------------------------


def signals(node: Node, claim: str | None = None) -> tuple[Signal, ...]:
    """What our fingerprints say that others published, too, or that another claim here has which
    was accepted: of one claim, or of all."""
    function = in_use(node).public
    with node.database.read() as tx:
        listed = rows.lines(tx, function) if claim is None else rows.of_claim(tx, function, claim)
        every = [one.fingerprint for one in listed]
        seen, own = rows.seen(tx, function, every), rows.accepted(tx, function, every)
    found = [_match(one, seen, own, node.organisation) for one in listed]
    return signals_of([one for one in found if one.others], own=node.organisation)


def _match(
    one: rows.LineRow,
    seen: Mapping[bytes, Sequence[bytes]],
    own: Mapping[bytes, frozenset[str]],
    organisation: bytes,
) -> Match:
    besides = own.get(one.fingerprint, frozenset()) - {one.claim}
    return Match(
        mark=Mark(one.kind),
        by=By(one.matched_by),
        claim=one.claim,
        line=one.line,
        day=one.day,
        detail=one.detail,
        coordinated=bool(one.coordinated),
        others=frozenset((*seen.get(one.fingerprint, ()), *((organisation,) if besides else ()))),
    )
