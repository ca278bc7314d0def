"""Ask custodians: the port that carries signed bytes, and one checked question and answer.

`CustodyClient` is all that access needs of a network; its httpx form is wired by `app`. A signed
answer counts only when its signer is an active agent of the organisation that was asked, by our
own ledger node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from simdes.access.categories import Role
from simdes.access.consent import Consent
from simdes.access.messages import Basis, TermsBody
from simdes.access.passes import Pass
from simdes.access.record_lists import record_proof
from simdes.access.requests import Answer, Signer, hexed, read_answer, sign_request
from simdes.errors import SimdesError, Tampered
from simdes.ledger.contracts import Contracts
from simdes.ledger.terms import ZERO32


class CustodyClient(Protocol):
    """Carries custody requests to organisations."""

    def post(self, organisation: bytes, method: str, token: bytes) -> bytes:
        """Hand in a signed question, return the signed answer.

        Raises what the custodian refused with, as a class of `simdes.errors`; `Unavailable` when
        it cannot be reached in time.
        """

    def reachable(self, organisation: bytes) -> bool:
        """Whether the custodian answers at all now; never raises, leaves no audit entry."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one question: a checked answer, or the error that it ended with."""

    organisation: bytes
    method: str
    answer: Answer | None
    error: SimdesError | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what asking depends on. `signer` is the account's key, or that of a reading
    pass of its wallet, which is then in `by`.

    `listen` is told what came of each question, possibly by several threads at once.
    """

    signer: Signer
    client: CustodyClient
    contracts: Contracts
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    listen: Callable[[Heard], None] | None = None
    by: Pass | None = None


@dataclass(frozen=True, slots=True)
class Because:
    """The ground of a question: a purpose, and the consent or emergency handle relied on.

    Neither: the vault's control account asks (PATRQT), or an organisation for what it wrote.
    `listed` are the record ids of a consent that is limited to records.
    """

    purpose: int
    consent: Consent | None = None
    emergency: bytes | None = None
    listed: tuple[bytes, ...] = ()

    @property
    def handle(self) -> bytes | None:
        """The handle relied on, None where the ground is neither consent nor emergency."""
        return self.consent.handle if self.consent else self.emergency

    def basis(self, vault: bytes) -> Basis:
        """The form in which it travels."""
        consent = self.consent
        if consent is None:
            handle = hexed(self.emergency) if self.emergency else None
            return Basis(vault=hexed(vault), purpose=self.purpose, handle=handle)
        limited = consent.terms.records != ZERO32
        return Basis(
            vault=hexed(vault),
            purpose=self.purpose,
            handle=hexed(consent.handle),
            terms=TermsBody.of(consent.terms),
            salt=hexed(consent.salt),
            proofs={
                hexed(record): [hexed(node) for node in record_proof(self.listed, record)]
                for record in (self.listed if limited else ())
            },
        )


def ask(
    caller: Caller, organisation: bytes, method: str, body: msgspec.Struct | Mapping[str, Any]
) -> Answer:
    """Ask one custodian one thing and return its opened, verified answer.

    Raises what the custodian refused with, `Unavailable` when it is out of reach, `Tampered` when
    the answer is not by an active agent of that organisation or not to this question.
    """
    try:
        answer = _ask(caller, organisation, method, body)
    except SimdesError as error:
        _tell(caller, organisation, method, error=error)
        raise
    _tell(caller, organisation, method, answer=answer)
    return answer


def _tell(
    caller: Caller,
    organisation: bytes,
    method: str,
    *,
    answer: Answer | None = None,
    error: SimdesError | None = None,
) -> None:
    if caller.listen is not None:
        at_ms = int(caller.clock() * 1000)
        caller.listen(Heard(organisation, method, answer, error, at_ms))


def _ask(
    caller: Caller, organisation: bytes, method: str, body: msgspec.Struct | Mapping[str, Any]
) -> Answer:
    asked = sign_request(
        caller.signer,
        method=method,
        audience=organisation,
        chain=caller.contracts.ledger.chain_id(),
        body=body,
        now_seconds=int(caller.clock()),
        random=caller.random,
        by=caller.by,
    )
    answer = read_answer(caller.client.post(organisation, method, asked.token), asked)
    check_agent(caller.contracts, answer.signer, organisation)
    return answer


def check_agent(contracts: Contracts, signer: bytes, organisation: bytes) -> None:
    """`Tampered` unless the signer is an active agent of the organisation."""
    standing = contracts.accounts.standing(signer)
    if (
        standing is None
        or not standing.active
        or standing.role is not Role.AGENT
        or standing.organisation != organisation
    ):
        raise Tampered("The answer is not signed by an agent of the organisation that was asked.")
