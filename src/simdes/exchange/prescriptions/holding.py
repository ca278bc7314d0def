"""A prescription as its patient or a pharmacist holds it: what was ordered, its statement opened.

Found like every record: one's own, or opened elsewhere under a consent that names the category
``prescriptions``. Nothing in it is believed: the statement must stand in the forest, and what was
ordered must be what it commits to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from simdes.access.categories import DOCUMENT_SYSTEM, PRESCRIPTION_CODE, Category, mask
from simdes.errors import Conflict, Invalid, NotFound, SimdesError
from simdes.exchange import members
from simdes.exchange.interactions.found import Found
from simdes.exchange.interactions.search import find
from simdes.exchange.node import Node
from simdes.exchange.prescriptions import forest, records, stating
from simdes.exchange.prescriptions.states import State, state_of
from simdes.exchange.provenance import instant
from simdes.exchange.reach import reach
from simdes.exchange.rights import Asking, again
from simdes.fhir.json import loads
from simdes.fhir.prescribing import TYPE, essence
from simdes.fhir.search.parse import parse
from simdes.index import chain_prescriptions, merges, prescriptions
from simdes.ledger.statements import PrescriptionStatus
from simdes.proofs.openings import Opening, decode, number, octets
from simdes.proofs.prescriptions import Prescription, tag_of

Json = dict[str, Any]

NEEDED: Final = (
    Category.DEMOGRAPHICS,
    Category.CONDITIONS,
    Category.MEDICATIONS,
    Category.ALLERGIES,
    Category.PRESCRIPTIONS,
)
"""What a pharmacist needs to check and dispense, and nothing else."""
_NEEDED: Final = mask((*NEEDED, Category.OBSERVATIONS))
_AT_ONCE: Final = 100
"""Orders that are asked for together."""
_Named = tuple[bytes, str]
"""An order by its vault and its name: who writes into another vault can use the name there, too."""


@dataclass(frozen=True, slots=True)
class Held:
    """An order with the opening of its statement, both of one vault."""

    request: Json
    opening: Opening
    vault: bytes
    tag: int

    @property
    def terms(self) -> Prescription:
        """What is allowed."""
        return self.opening.prescription

    @property
    def tag_bytes(self) -> bytes:
        """The tag as 32 bytes."""
        return octets(self.tag)

    def amount(self, units: int) -> Json:
        """Units as a Quantity of what was ordered."""
        value = Decimal(self.opening.unit) * units
        quantity = self.request["dispenseRequest"]["quantity"]
        kept = {name: quantity[name] for name in ("unit", "system", "code") if name in quantity}
        whole = int(value) if value == int(value) else value.normalize()
        return {"value": whole, **kept}

    def units(self, amount: Decimal) -> int:
        """An amount in units. Raises Invalid for what is no whole number of them, or none."""
        units = amount / Decimal(self.opening.unit)
        if units != int(units) or units < 1:
            raise Invalid(f"The quantity must be a multiple of {self.opening.unit}.")
        return int(units)


def hold(
    node: Node, asking: Asking, request_id: str, *, vault: bytes | None = None, tag: bytes = b""
) -> Held:
    """The prescription of a MedicationRequest, as far as the caller sees both.

    ``tag``: of the statement that a consent names, where it names one. Raises NotFound where they
    see no opening, Conflict where the order says something else than its statement.
    """
    vaults = None if vault is None else (vault,)
    asking, _ = reached(node, asking, vaults)
    openings = list(_openings(node, asking, vaults, related=f"{TYPE}/{request_id}"))
    if not openings:
        raise NotFound(
            "There is no prescription to dispense from, or not for you.",
            advice="It may wait for its batch, or the patient has not submitted it to you.",
        )
    requests = _matches(node, asking, TYPE, (("_id", request_id),), (openings[0][1],))
    if not requests:
        raise NotFound("There is no such MedicationRequest, or not for you.")
    return _of(node, loads(requests[0].content), openings, tag=tag)


def _of(
    node: Node, request: Json, openings: Sequence[tuple[Opening, bytes]], *, tag: bytes = b""
) -> Held:
    """An order with the first of its openings that commits to what it says."""
    digest = sha256(essence(request)).digest()
    for opening, its_vault in openings:
        held = Held(request, opening, its_vault, _tag(node, opening))
        if opening.essence == digest and tag in (b"", held.tag_bytes):
            opening.require_whole()
            return held
    raise Conflict(
        "The order was changed since it was stated.",
        advice="Wait for the new statement, or ask the prescriber.",
    )


def all_held(node: Node, asking: Asking, *, vaults: tuple[bytes, ...] | None = None) -> list[Held]:
    """Every prescription that the caller sees, of some vaults or of all; unsound ones left out."""
    asking, _ = reached(node, asking, vaults)
    openings: dict[_Named, list[tuple[Opening, bytes]]] = {}
    for opening, vault in _openings(node, asking, vaults):
        openings.setdefault((vault, opening.request), []).append((opening, vault))
    requests = _requests(node, asking, list(openings))
    found: dict[int, Held] = {}
    for named, its in openings.items():
        with suppress(SimdesError):
            if named in requests:
                held = _of(node, requests[named], its)
                found.setdefault(held.tag, held)
    return list(found.values())


def _requests(node: Node, asking: Asking, named: Sequence[_Named]) -> dict[_Named, Json]:
    """Those of these orders that there are, asked for together."""
    found: dict[_Named, Json] = {}
    for start in range(0, len(named), _AT_ONCE):
        some = named[start : start + _AT_ONCE]
        ids = ",".join(name.rpartition("/")[2] for _, name in some)
        of = tuple(dict.fromkeys(vault for vault, _ in some))
        for one in _matches(node, asking, TYPE, (("_id", ids), ("_count", "1000")), of):
            request = loads(one.content)
            found.setdefault((one.vault, f"{TYPE}/{request['id']}"), request)
    return found


def reached(
    node: Node, asking: Asking, vaults: tuple[bytes, ...] | None
) -> tuple[Asking, tuple[str, ...]]:
    """The caller with everything that consents open for them of these vaults (None: of any), and
    what could not be opened. Whoever looks twice with one `Asking` would not see it the second
    time."""
    found = reach(node, asking, vaults=vaults, categories=_NEEDED)
    with node.database.read() as tx:
        return again(node, found.asking, tx), found.warnings


def _openings(
    node: Node, asking: Asking, vaults: tuple[bytes, ...] | None, *, related: str = ""
) -> Iterator[tuple[Opening, bytes]]:
    """The openings that the caller sees, newest first, of this network, with their vaults."""
    pairs = [
        ("category", f"{DOCUMENT_SYSTEM}|{PRESCRIPTION_CODE}"),
        ("_sort", "-_lastUpdated"),
        ("_count", "1000"),
    ]
    if related:
        pairs.append(("related", related))
    contracts = node.contracts
    here = (contracts.ledger.chain_id(), contracts.addresses.prescriptions)
    for one in _matches(node, asking, "DocumentReference", tuple(pairs), vaults):
        try:
            opening = decode(records.attached(loads(one.content)))
        except SimdesError:
            continue
        if (opening.chain, opening.contract) == here and related in ("", opening.request):
            yield opening, one.vault


def _matches(
    node: Node,
    asking: Asking,
    type_: str,
    pairs: tuple[tuple[str, str], ...],
    vaults: tuple[bytes, ...] | None,
) -> tuple[Found, ...]:
    query = parse((type_,), pairs, now_ms=node.now_ms())
    return find(node, asking, query, vaults=vaults).matches


def _tag(node: Node, opening: Opening) -> int:
    return tag_of(number(opening.key), context=stating.context(node))


# Where it stands ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A step by which something was dispensed: how much is dispensed in all by then, by whom."""

    amount: Json
    pharmacy: str
    began: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What there is to say of a prescription. ``pharmacy`` is whose it is, "" nobody's;
    ``next_fill`` the day from which the next fill is due, None where none is left."""

    request: str
    state: State
    prescribed: Json
    dispensed: Json
    left: Json
    first_day: date
    last_day: date
    next_fill: date | None
    pharmacy: str
    controlled: bool
    fills: tuple[Fill, ...]


def today_of(node: Node) -> int:
    """The day that the ledger's next block will be of, as far as that is known."""
    head = node.contracts.ledger.head().timestamp // stating.SECONDS_A_DAY
    return max(head, stating.today(node))


def standing(node: Node, held: Held) -> tuple[State, PrescriptionStatus]:
    """The state of a prescription at the ledger's head."""
    status = node.contracts.prescriptions.status(held.tag)
    return state_of(held.terms, status, today=today_of(node)), status


def tell(node: Node, held: Held) -> Told:
    """Everything that there is to say of a prescription, from the ledger."""
    forest.catch_up(node.desk)
    state, status = standing(node, held)
    terms = held.terms
    units = terms.units(status.part)
    with node.database.read() as tx:
        steps = chain_prescriptions.dispenses(tx, held.tag_bytes)
    due = terms.first_day if not units else status.fill_day + terms.interval
    left = state not in (State.COMPLETED, State.CANCELLED, State.EXPIRED)
    return Told(
        request=held.opening.request,
        state=state,
        prescribed=held.amount(terms.total),
        dispensed=held.amount(units),
        left=held.amount(terms.total - units),
        first_day=day(terms.first_day),
        last_day=day(terms.last_day),
        next_fill=day(due) if left else None,
        pharmacy=members.name_of(node, status.pharmacy) if any(status.pharmacy) else "",
        controlled=terms.controlled,
        fills=tuple(
            Fill(
                amount=held.amount(terms.units(one.part)),
                pharmacy=members.name_of(node, one.pharmacy),
                began=day(one.fill_day),
            )
            for one in steps
        ),
    )


def waits(node: Node, request_id: str, vault: bytes) -> bool:
    """Whether a prescription that was written here waits for its batch."""
    with node.database.read() as tx:
        tags = (vault, *merges.joined(tx, vault))
        rows = [one for tag in tags for one in prescriptions.of_request(tx, tag, request_id)]
    return any(one.state in (prescriptions.STATED, prescriptions.BUILT) for one in rows)


def day(number_: int) -> date:
    """A day since 1970-01-01 as a date."""
    return datetime.fromtimestamp(number_ * stating.SECONDS_A_DAY, UTC).date()


def instant_of(seconds: int) -> str:
    """Unix seconds as a FHIR instant."""
    return instant(seconds * 1000)
