"""Setting up a new network: the contracts, who owns them, and who may do what.

The order, the arguments and what must hold afterwards stand in ``contracts/DEPLOY.md``. The
deploying key keeps no right: its last two transactions give up what it had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simdes.errors import SimdesError, Tampered
from simdes.ledger.abi import Artifact, artifact
from simdes.ledger.bound import Bound
from simdes.ledger.digests import keccak256, selector
from simdes.ledger.lane import Call, Lane
from simdes.ledger.ledger import Address, Ledger, Receipt
from simdes.ledger.network import NO_KEYS, PROXIES, Addresses, pins

_ADMINISTRATION, _GOVERNANCE, _ALARM = 0, 1, 2
_ROOT_ROLE = bytes(32)
_PROPOSER_ROLE = keccak256(b"PROPOSER_ROLE")
_CANCELLER_ROLE = keccak256(b"CANCELLER_ROLE")
_NOBODY = bytes(20)
_PLAIN = {
    "tags": "Tags",
    "nullifiers": "Nullifiers",
    "dispense_verifier": "DispenseVerifier",
    "disclosure_verifier": "DisclosureVerifier",
    "cohort_verifier": "CohortVerifier",
    "claim_book": "ClaimBook",
    "claim_verifier": "ClaimVerifier",
    "settle_verifier": "SettleVerifier",
    "free_verifier": "FreeVerifier",
    "poseidon2": "PoseidonT3",
    "poseidon3": "PoseidonT4",
}
"""Contracts that need nothing and belong to nobody: where they stand in `Addresses`, their name."""
_GOVERNED = (
    "verifyOrganisation(bytes32)",
    "suspendOrganisation(bytes32)",
    "verify(bytes32)",
    "suspend(bytes32)",
    "unpause(bytes4)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """A network's times in seconds, and its quota of emergencies per organisation and day.

    `recent_seconds`: how long a proof may name the forest's root after a newer one. A claim waits
    `answer_seconds` for its provider, `decide_seconds` for its payer, `appeal_seconds` for an
    appeal.
    """

    ballot_seconds: int = 604_800
    timelock_seconds: int = 604_800
    delay_seconds: int = 259_200
    pause_seconds: int = 259_200
    cool_down_seconds: int = 604_800
    quota: int = 20
    open_seconds: int = 14_400
    review_seconds: int = 259_200
    recent_seconds: int = 3_600
    answer_seconds: int = 2_592_000
    decide_seconds: int = 2_592_000
    appeal_seconds: int = 5_184_000


PRODUCTION = Delays()
DEMO = Delays(
    ballot_seconds=86_400,
    timelock_seconds=60,
    delay_seconds=60,
    pause_seconds=3_600,
    cool_down_seconds=3_600,
    open_seconds=3_600,
    review_seconds=86_400,
    answer_seconds=86_400,
    decide_seconds=86_400,
    appeal_seconds=86_400,
)


class TimelockContract(Bound):
    """OpenZeppelin's TimelockController: what waits before it happens."""

    artifact_name = "TimelockController"


class ManagerContract(Bound):
    """OpenZeppelin's AccessManager: who may call which restricted function."""

    artifact_name = "AccessManager"


def deploy(
    lane: Lane,
    *,
    administrators: Sequence[Address],
    threshold: int,
    alarm_threshold: int = 1,
    delays: Delays = PRODUCTION,
    verifiers: Sequence[Artifact] = (),
    keys: bytes = NO_KEYS,
) -> Addresses:
    """Deploy and wire a network owned by `threshold` of `administrators`; return its addresses.

    `alarm_threshold` of them cancel a waiting operation or pause a verb. `verifiers` stand in place
    of the shipped ones of the same name, `keys` is what pins the keys that they are of. Raises
    `Invalid` or another of our errors when a step is refused, `Tampered` when what came out isn't
    as it must.
    """
    others = {one.name: one for one in verifiers}
    ledger, first_block = lane.ledger, lane.ledger.head().number
    timelock, manager, *implementations = _create(
        lane,
        ("TimelockController", delays.timelock_seconds, [], [_NOBODY], lane.address),
        ("AccessManager", lane.address),
        *((name,) for name in map(_contract, PROXIES)),
    )
    code = dict(zip(PROXIES, implementations, strict=True))
    pause = (delays.pause_seconds, delays.cool_down_seconds)
    owners = ("Administrators", list(administrators), threshold, alarm_threshold)
    administration, accounts, *plain = _create(
        lane,
        (*owners, delays.ballot_seconds, timelock),
        _proxy("Accounts", code["accounts"], manager, delays.delay_seconds, *pause),
        *((name,) for name in _PLAIN.values()),
        others=others,
    )
    places = dict(zip(_PLAIN, plain, strict=True))
    emergencies = (delays.quota, delays.open_seconds, delays.review_seconds)
    forests = (accounts, places["poseidon2"], delays.recent_seconds)
    consents, records, statements, audit_log = _create(
        lane,
        _proxy("Consents", code["consents"], manager, accounts, *emergencies, *pause),
        _proxy("Records", code["records"], manager, accounts, *pause),
        _proxy("Statements", code["statements"], manager, *forests, *pause),
        ("AuditLog", accounts),
    )
    proving = _proving(code, manager, (accounts, statements), places, delays)
    prescriptions, studies, claims = _create(lane, *proving)
    genesis = ledger.block(0)
    addresses = Addresses(
        chain_id=ledger.chain_id(),
        genesis=genesis.hash if genesis is not None else b"",
        first_block=first_block,
        accounts=accounts,
        consents=consents,
        records=records,
        audit_log=audit_log,
        statements=statements,
        prescriptions=prescriptions,
        studies=studies,
        claims=claims,
        administrators=administration,
        timelock=timelock,
        manager=manager,
        keys=keys,
        **places,
    )
    _carry_out(lane, _wiring(ledger, addresses, lane.address))
    check_deployment(ledger, addresses, deployer=lane.address, delays=delays, verifiers=verifiers)
    return addresses


def _proving(
    code: Mapping[str, Address],
    manager: Address,
    under: tuple[Address, Address],
    places: Mapping[str, Address],
    delays: Delays,
) -> list[tuple[object, ...]]:
    """What takes proofs about statements, each with its verifiers; ``under``: accounts, statements.

    `Prescriptions`, `Studies` and `Claims`, as `_create` takes them.
    """
    dispensing = ("tags", "dispense_verifier", "poseidon2", "poseidon3")
    counting = ("tags", "nullifiers", "cohort_verifier")
    claiming = ("claim_book", "claim_verifier", "settle_verifier", "free_verifier")
    used, researched, insured = (
        (*under, *(places[name] for name in names)) for names in (dispensing, counting, claiming)
    )
    pause = (delays.pause_seconds, delays.cool_down_seconds)
    waits = (delays.answer_seconds, delays.decide_seconds, delays.appeal_seconds)
    return [
        _proxy("Prescriptions", code["prescriptions"], manager, used, *pause),
        _proxy("Studies", code["studies"], manager, researched, *pause),
        _proxy("Claims", code["claims"], manager, insured, waits, *pause),
    ]


def check_deployment(
    ledger: Ledger,
    addresses: Addresses,
    *,
    deployer: Address,
    delays: Delays,
    verifiers: Sequence[Artifact] = (),
) -> None:
    """Check what must hold of a network. Raises `Tampered` naming what doesn't."""
    timelock = TimelockContract(ledger, addresses.timelock)
    manager = ManagerContract(ledger, addresses.manager)
    owners = addresses.administrators

    def holds(role: int, address: Address) -> bool:
        is_member, _ = manager.read("hasRole", role, address)
        return bool(is_member)

    facts = {
        "the timelock administers": holds(_ADMINISTRATION, addresses.timelock),
        "the deployer has no right left": not holds(_ADMINISTRATION, deployer),
        "the owners govern": holds(_GOVERNANCE, owners),
        "the owners may raise the alarm": holds(_ALARM, owners),
        "the owners propose": timelock.read("hasRole", _PROPOSER_ROLE, owners),
        "the owners cancel": timelock.read("hasRole", _CANCELLER_ROLE, owners),
        "the timelock is its own": not timelock.read("hasRole", _ROOT_ROLE, deployer),
        "the timelock waits": timelock.read("getMinDelay") == delays.timelock_seconds,
    }
    facts.update(_code_facts(ledger, addresses, {one.name: one for one in verifiers}))
    broken = [name for name, fact in facts.items() if not fact]
    if broken:
        raise Tampered(
            f"the network is not set up as it must be: {', '.join(broken)}",
            advice="Do not use these contracts; deploy again.",
        )


def _code_facts(
    ledger: Ledger, addresses: Addresses, others: Mapping[str, Artifact]
) -> dict[str, bool]:
    """Compare the code on the chain with what ships in the package, or stands in its place."""
    implementations = pins(ledger, addresses).implementations
    places = {_contract(name): implementations[name] for name in PROXIES}
    places |= {name: getattr(addresses, where) for where, name in _PLAIN.items()}
    places["AuditLog"] = addresses.audit_log
    places["Administrators"] = addresses.administrators
    return {
        f"{name} runs the shipped code": (others.get(name) or artifact(name)).is_code(
            ledger.code(address)
        )
        for name, address in places.items()
    }


def _contract(name: str) -> str:
    """The Solidity name of a member of `PROXIES`."""
    return name.capitalize()


def _create(
    lane: Lane, *contracts: tuple[object, ...], others: Mapping[str, Artifact] | None = None
) -> list[Address]:
    """Deploy contracts, each a name and its constructor's arguments, in as few blocks as can be."""
    there = others or {}
    calls = [
        Call(
            None,
            (there.get(str(name)) or artifact(str(name))).deployment(*arguments),
            f"deploy {name}",
        )
        for name, *arguments in contracts
    ]
    return [receipt.contract_address or b"" for receipt in _carry_out(lane, calls)]


def _carry_out(lane: Lane, calls: Sequence[Call]) -> list[Receipt]:
    receipts: list[Receipt] = []
    for outcome in lane.transact_many(calls):
        if isinstance(outcome, SimdesError):
            raise outcome
        receipts.append(outcome)
    return receipts


def _proxy(name: str, implementation: Address, *arguments: object) -> tuple[object, ...]:
    data = artifact(name).call_data("initialize", *arguments)
    return ("ERC1967Proxy", implementation, data)


def _wiring(ledger: Ledger, addresses: Addresses, deployer: Address) -> list[Call]:
    """Return the calls that hand out the rights, the deployer's renunciations last."""
    timelock = TimelockContract(ledger, addresses.timelock)
    manager = ManagerContract(ledger, addresses.manager)
    owners = addresses.administrators
    proxies = [getattr(addresses, name) for name in PROXIES]
    unpause, pause = [selector("unpause(bytes4)")], [selector("pause(bytes4)")]
    governed = [selector(signature) for signature in _GOVERNED]
    begin = [*unpause, selector("beginForest(uint8)")]
    dismiss = [*unpause, selector("dismiss(bytes32)")]
    allow = "setTargetFunctionRole"
    return [
        timelock.write("grantRole", _PROPOSER_ROLE, owners),
        timelock.write("grantRole", _CANCELLER_ROLE, owners),
        manager.write(allow, addresses.accounts, governed, _GOVERNANCE),
        manager.write(allow, addresses.consents, unpause, _GOVERNANCE),
        manager.write(allow, addresses.records, unpause, _GOVERNANCE),
        manager.write(allow, addresses.statements, begin, _GOVERNANCE),
        manager.write(allow, addresses.prescriptions, unpause, _GOVERNANCE),
        manager.write(allow, addresses.studies, unpause, _GOVERNANCE),
        manager.write(allow, addresses.claims, dismiss, _GOVERNANCE),
        *(manager.write(allow, proxy, pause, _ALARM) for proxy in proxies),
        manager.write("grantRole", _GOVERNANCE, owners, 0),
        manager.write("grantRole", _ALARM, owners, 0),
        manager.write("grantRole", _ADMINISTRATION, addresses.timelock, 0),
        manager.write("renounceRole", _ADMINISTRATION, deployer),
        timelock.write("renounceRole", _ROOT_ROLE, deployer),
    ]
