"""The audit entry of what was refused (https://hl7.org/fhir/R4/auditevent.html).

A face opens `attempting` around whatever a request leads to, so that a refusal is on record
wherever it comes from: the caller's role or app, the form of the request, a condition that does not
hold, a part that does not answer. An entry says who, what and why. It names a patient's vault only
where the caller might have read what was named, or may be told of that one vault anyway: whoever
sees entries learns from none that something exists. Where it can't be written the caller is refused
all the same and for the reason that there is; what is granted is on record first, or not given
(docs/decisions/0034-refused-attempts.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import structlog

from simdes import logs
from simdes.access.audit_event import Attempt, Verb
from simdes.access.tokens import Actor
from simdes.errors import SimdesError
from simdes.exchange.node import Node
from simdes.exchange.on_record import attempt_of, is_on_record, put_on_record, reason_of
from simdes.exchange.rights import Asking
from simdes.fhir.reference import parse_reference
from simdes.index import resources, search
from simdes.index.entries import Entry
from simdes.index.transaction import Transaction

_log = structlog.get_logger("simdes.audit")

Name = tuple[str, str]
"""Type and id."""

_WRITES: Final = frozenset(
    (
        *("create", "update", "patch", "delete", "transaction"),
        *("$submit-legacy", "$import", "$meta-add", "$meta-delete"),
    )
)
_ABOUT: Final = ("subject", "patient", "for", "individual", "beneficiary")
_MOST_NAMED: Final = 100
"""Resources of a refused request that are looked up to find out about whom it was."""


@dataclass(slots=True)
class Trying:
    """What a request tries. ``interaction`` is a word of FHIR, ``of`` the type that it is about.

    ``type`` and ``id`` are the resource that its address names, "" where it names none; ``sent``
    is its body as far as it was read.
    """

    interaction: str
    of: str = ""
    type: str = ""
    id: str = ""
    sent: Any = field(default=None, repr=False)

    @property
    def verb(self) -> Verb:
        """Whether it would write."""
        return Verb.WRITE if self.interaction in _WRITES else Verb.READ

    @property
    def asked(self) -> str:
        """In words, as entries have it."""
        return f"{self.interaction} {self.of}".strip()


@contextmanager
def attempting(node: Node, asking: Asking, trying: Trying | None) -> Iterator[None]:
    """Write down what is refused in here before the error goes on, as `recording` does.

    ``trying`` None: it touches no patient, and nothing is written.
    """
    if trying is None:
        yield
        return
    with recording(node, lambda reason: _refused(node, asking, trying, reason)):
        yield


def refused(node: Node, asking: Asking, trying: Trying, error: SimdesError) -> None:
    """Write down what was refused for this reason; for what goes on in spite of it."""
    record(node, error, lambda reason: _refused(node, asking, trying, reason))


Describe = Callable[[str], Attempt | None]
"""Makes the entry of a refusal with the name of its reason; None for none."""


@contextmanager
def recording(node: Node, describe: Describe) -> Iterator[None]:
    """Write down what is refused in here before the error goes on.

    One entry however many of these an error passes; the innermost knows best. Equal ones within a
    minute are counted in one.
    """
    try:
        yield
    except Exception as error:
        record(node, error, describe)
        raise


def turned_away(actor: Actor, reason: str, *, asked: str) -> Attempt:
    """The attempt of a known account that was refused before anything was looked at."""
    return attempt_of(
        actor,
        Verb.READ,
        actor.context.vault,
        purpose=None,
        reason=reason,
        asked=asked,
    )


def record(node: Node, error: BaseException, describe: Describe) -> None:
    """Write down the attempt that ended in an error, once; never raises, so that the error stays.

    What ``describe`` raises, and what the database raises, is counted and logged by its class.
    """
    if is_on_record(error):
        return
    put_on_record(error)
    try:
        made = describe(reason_of(error))
        if made is not None:
            node.journal.write(node.database, node.desk.trail, [made])
    except Exception as failure:
        node.desk.trail.count_lost()
        _log.error("a refusal is not on record", **logs.described(failure))


# About whom -----------------------------------------------------------------------------------


def _refused(node: Node, asking: Asking, trying: Trying, reason: str) -> Attempt:
    with node.database.read() as tx:
        vault, records = _about(tx, asking, trying)
    return attempt_of(
        asking.session.actor,
        trying.verb,
        vault,
        purpose=int(asking.purpose),
        records=records,
        reason=reason,
        asked=trying.asked,
    )


def _about(
    tx: Transaction, asking: Asking, trying: Trying
) -> tuple[bytes | None, tuple[bytes, ...]]:
    """The vault that it was about, and the record, as far as this caller might have read it."""
    own = (trying.type, trying.id)
    names = {own} if trying.id else set()
    names |= set(islice(_named(trying.sent), _MOST_NAMED))
    seen = search.named(tx, asking.rights.reading, names) if names else []
    vaults = {one.vault for one in seen} - {asking.facts.home}
    if len(vaults) != 1:
        return asking.session.actor.context.vault, ()
    return vaults.pop(), _records(tx, [one for one in seen if (one.type, one.logical_id) == own])


def _records(tx: Transaction, seen: Sequence[Entry]) -> tuple[bytes, ...]:
    own = [one.resource_id for one in seen if one.resource_id is not None]
    found = {one.record_id for one in seen}
    found |= {row.record_id for row in (resources.get_many(tx, own) if own else ())}
    return tuple(sorted(one for one in found if one is not None))


def _named(sent: Any) -> Iterator[Name]:
    """Resources that what was sent is about: its subjects, those of a Bundle's entries."""
    if not isinstance(sent, Mapping):
        return
    for name in _ABOUT:
        yield from _referred(sent.get(name))
    entries = sent.get("entry")
    if sent.get("resourceType") != "Bundle" or not isinstance(entries, list):
        return
    for entry in entries:
        if isinstance(entry, Mapping):
            request = entry.get("request")
            if isinstance(request, Mapping):
                yield from _referred({"reference": request.get("url")})
            yield from _named(_without_entries(entry.get("resource")))


def _without_entries(resource: Any) -> Any:
    """A Bundle in a Bundle is not looked into: depth is the sender's."""
    return None if isinstance(resource, Mapping) and "entry" in resource else resource


def _referred(reference: Any) -> Iterator[Name]:
    literal = reference.get("reference") if isinstance(reference, Mapping) else None
    if not isinstance(literal, str):
        return
    parsed = parse_reference(literal)
    if parsed.kind == "relative" and parsed.type and parsed.id:
        yield parsed.type, parsed.id
