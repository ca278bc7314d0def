"""Organisations: found a network, ask to join one, be verified by its owners (paper,
"Administrators … verifying accounts").

The owners of a network are k administrators of n. Each decides at their own gateway: the first
proposes, the others confirm, and whoever completes the number carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simdes.access.categories import Kind, Role, State
from simdes.access.descriptors import OrganisationDescriptor, encode_organisation
from simdes.access.requests import Signer
from simdes.crypto.digest import keccak256, sha256
from simdes.errors import Conflict, Forbidden, NotFound, SimdesError
from simdes.exchange.node import Node
from simdes.index import chain
from simdes.ledger.contracts import Contracts
from simdes.ledger.lane import Call, Lane
from simdes.storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Council:
    """The owners of the network: so many, of whom it takes ``threshold`` to decide.

    ``seated``: whether who asked is one of them.
    """

    owners: int
    threshold: int
    seated: bool


def council(node: Node, address: bytes) -> Council:
    """Who decides about organisations, as the ledger says, and whether a key is an owner's."""
    administrators = node.contracts.administrators
    owners = administrators.members()
    return Council(
        owners=len(owners), threshold=administrators.threshold(), seated=address in owners
    )


def confirmed(node: Node, organisation: bytes, *, suspending: bool) -> int:
    """How many owners confirmed so far that an organisation be verified, or suspended."""
    accounts, administrators = node.contracts.accounts, node.contracts.administrators
    call = (
        accounts.suspend_organisation(organisation)
        if suspending
        else accounts.verify_organisation(organisation)
    )
    found = administrators.proposal(administrators.proposal_id(call, salt=_salt(call)))
    return found.confirmed if found else 0


def ask_to_join(
    contracts: Contracts,
    store: Store,
    administrator: Lane,
    descriptor: OrganisationDescriptor,
    *,
    account: bytes,
    agents: tuple[bytes, ...],
    random: Callable[[int], bytes],
) -> None:
    """Register an organisation, its first administrator and its agents; all wait to be verified.

    ``administrator`` sends with the administrator's own key, ``agents`` are the addresses of the
    organisation's software. Repeating it after a crash goes on where it stopped.
    """
    block = encode_organisation(descriptor)
    store.put(block)
    if contracts.accounts.organisation(descriptor.organisation) is None:
        administrator.transact(
            contracts.accounts.register_organisation(
                organisation=descriptor.organisation,
                kind=Kind(descriptor.kind),
                descriptor=sha256(block),
                account=account,
            )
        )
    _carry_out(
        administrator,
        [
            contracts.accounts.register(
                account=random(32),
                organisation=descriptor.organisation,
                role=Role.AGENT,
                key=address,
            )
            for address in agents
            if contracts.accounts.account_of(address) is None
        ],
    )


def _carry_out(lane: Lane, calls: Sequence[Call]) -> None:
    """Send calls together, so that they share a block; raises what the first refusal means."""
    for outcome in lane.transact_many(calls):
        if isinstance(outcome, SimdesError):
            raise outcome


def verify_organisation(node: Node, owner: Signer, organisation: bytes) -> bool:
    """Confirm, as an owner of the network, that an organisation and its software are who they say.

    ``owner`` is the key of an owner's account. Returns True once enough owners confirmed and it is
    verified, False while more must. Raises Forbidden for who is no owner, NotFound for an unknown
    organisation.
    """
    known = node.contracts.accounts.organisation(organisation)
    if known is None:
        raise NotFound("The network knows no such organisation.")
    accounts = node.contracts.accounts
    done = True
    if known.state != State.VERIFIED:
        done = _decide(node, owner, [accounts.verify_organisation(organisation)])
    agents = [accounts.verify(account) for account in _pending_agents(node, organisation)]
    return _decide(node, owner, agents) and done


def suspend_organisation(node: Node, owner: Signer, organisation: bytes) -> bool:
    """Suspend an organisation; none of its accounts acts from the next block on."""
    return _decide(node, owner, [node.contracts.accounts.suspend_organisation(organisation)])


def _pending_agents(node: Node, organisation: bytes) -> list[bytes]:
    node.following.catch_up()
    with node.database.read() as tx:
        listed = chain.accounts(tx, organisation)
    return [one.id for one in listed if one.role == Role.AGENT and one.state == chain.PENDING]


def _decide(node: Node, owner: Signer, calls: Sequence[Call]) -> bool:
    """Propose or confirm calls as an owner; carry out those that now have enough owners.

    Returns whether all were carried out. A proposal's salt follows from its call, so that owners
    who never met mean the same proposal; once carried out it is gone, and the same call may be
    proposed anew.
    """
    administrators = node.contracts.administrators
    if owner.address not in administrators.members():
        raise Forbidden(
            "Only the network's owners decide this.",
            advice="Ask the owners of the network.",
        )
    lane = node.lane(owner)
    salts = [_salt(call) for call in calls]
    proposals = [
        administrators.proposal_id(call, salt=salt) for call, salt in zip(calls, salts, strict=True)
    ]
    votes = [
        administrators.propose(call, salt=salt)
        if administrators.proposal(proposal) is None
        else administrators.confirm(proposal)
        for call, salt, proposal in zip(calls, salts, proposals, strict=True)
    ]
    for outcome in lane.transact_many(votes):
        if isinstance(outcome, SimdesError) and not isinstance(outcome, Conflict):
            raise outcome  # a conflict: this owner confirmed before
    threshold = administrators.threshold()
    ready, waiting = [], False
    for call, salt, proposal in zip(calls, salts, proposals, strict=True):
        now = administrators.proposal(proposal)
        if now is not None and now.confirmed >= threshold:
            ready.append(administrators.execute(call, salt=salt))
        waiting = waiting or (now is not None and now.confirmed < threshold)
    _carry_out(lane, ready)
    return not waiting


def _salt(call: Call) -> bytes:
    """The same for every owner, so that their proposals of a call are one."""
    return keccak256(call.data + b"simdes/proposal/v1")
