"""`Accounts.sol` in Python: organisations, people's accounts, their keys, and vaults.

Paper: "identity management". Writes return a `Call`; who may send it stands in
``contracts/src/interfaces/IAccounts.sol``. Ids, tags, digests and roots are 32 bytes, addresses 20
bytes, signatures 65, times and deadlines unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from simdes.errors import Conflict, Unsupported
from simdes.ledger.bound import Bound
from simdes.ledger.lane import Call
from simdes.ledger.ledger import Address, Block
from simdes.ledger.typed_data import TypedData


class Role(IntEnum):
    """What an account may be; one role each."""

    NONE = 0
    PATIENT = 1
    DOCTOR = 2
    NURSE = 3
    PHARMACIST = 4
    INSURER = 5
    RESEARCHER = 6
    ADMINISTRATOR = 7
    AGENT = 8


class OrganisationKind(IntEnum):
    """What an organisation may be."""

    NONE = 0
    HOSPITAL = 1
    PHARMACY = 2
    INSURER = 3
    RESEARCH = 4


class State(IntEnum):
    """Where an organisation or account stands."""

    NONE = 0
    PENDING = 1
    VERIFIED = 2
    SUSPENDED = 3


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation; `since` is when it entered its present state."""

    kind: OrganisationKind
    state: State
    since: int
    descriptor: bytes
    first_administrator: bytes


@dataclass(frozen=True, slots=True)
class Account:
    """An account; `guardian_nonce` enters the next guardian signature."""

    organisation: bytes
    key: Address
    role: Role
    state: State
    frozen: bool
    vetoed: bool
    since: int
    guardian_nonce: int
    guardian_count: int
    guardian_threshold: int
    guardians_root: bytes


@dataclass(frozen=True, slots=True)
class Vault:
    """A vault; `control` is None while it is provisional."""

    organisation: bytes
    descriptor: bytes
    control: bytes | None
    m: int
    n: int
    epoch: int
    since: int


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is needed to judge the holder of a key."""

    account: bytes
    organisation: bytes
    role: Role
    account_state: State
    organisation_state: State
    frozen: bool

    @property
    def active(self) -> bool:
        """Whether the account may act: verified, not frozen, organisation verified."""
        verified = State.VERIFIED
        return (
            self.account_state is verified
            and self.organisation_state is verified
            and not self.frozen
        )


@dataclass(frozen=True, slots=True)
class PendingKey:
    """A key that takes over at `ready_at`, by rotation or recovery."""

    key: Address
    ready_at: int
    attested: bool


@dataclass(frozen=True, slots=True)
class PendingGuardians:
    """A guardian set that takes over at `ready_at`."""

    root: bytes
    count: int
    threshold: int
    ready_at: int


@dataclass(frozen=True, slots=True)
class GuardianProof:
    """One guardian's signature, with the proof that the signer is a guardian."""

    salt: bytes
    index: int
    path: tuple[bytes, ...]
    signature: bytes


OWNER_VERBS: Final[Mapping[str, tuple[str, str]]] = {
    "RotateKey": ("rotateKeyBySig", "address key"),
    "CancelRotation": ("cancelRotationBySig", "address key"),
    "SetGuardians": ("setGuardiansBySig", "bytes32 root,uint8 count,uint8 threshold"),
    "CancelGuardians": ("cancelGuardiansBySig", "bytes32 root"),
    "VetoRecovery": ("vetoRecoveryBySig", "address key"),
}
"""What an account's own key signs about it for anybody to relay: the EIP-712 type, the contract's
verb, and what stands in both between account and nonce."""


class AccountsContract(Bound):
    """Who exists, in which role, whether verified, and which account controls which vault."""

    artifact_name = "Accounts"

    # --- organisations and accounts --------------------------------------------------------

    def register_organisation(
        self, *, organisation: bytes, kind: int, descriptor: bytes, account: bytes
    ) -> Call:
        """Register an organisation; the sender's key becomes its first administrator `account`."""
        return self.write("registerOrganisation", organisation, int(kind), descriptor, account)

    def set_descriptor(self, descriptor: bytes) -> Call:
        """Replace the descriptor of the sender's organisation."""
        return self.write("setDescriptor", descriptor)

    def register(self, *, account: bytes, organisation: bytes, role: int, key: Address) -> Call:
        """Register an account, pending."""
        return self.write("register", account, organisation, int(role), key)

    def verify(self, account: bytes) -> Call:
        """Verify a pending or suspended account."""
        return self.write("verify", account)

    def suspend(self, account: bytes) -> Call:
        """Suspend an account."""
        return self.write("suspend", account)

    def verify_organisation(self, organisation: bytes) -> Call:
        """Verify an organisation. Governance alone: see `governance.Governance.carry_out`."""
        return self.write("verifyOrganisation", organisation)

    def suspend_organisation(self, organisation: bytes) -> Call:
        """Suspend an organisation. Governance alone."""
        return self.write("suspendOrganisation", organisation)

    def organisation(self, organisation: bytes) -> Organisation | None:
        """Return an organisation, None if it is unknown."""
        kind, state, since, descriptor, first = self.read("organisation", organisation)
        if state == State.NONE:
            return None
        return Organisation(OrganisationKind(kind), State(state), since, descriptor, first)

    def account(self, account: bytes) -> Account | None:
        """Return an account, None if it is unknown."""
        organisation, key, role, state, *rest = self.read("account", account)
        if state == State.NONE:
            return None
        return Account(organisation, _address(key), Role(role), State(state), *rest)

    def account_of(self, key: Address) -> bytes | None:
        """Return the id of the account whose present key this is, None if there is none."""
        return _or_none(self.read("accountOf", key))

    def holder_of(self, key: Address) -> bytes | None:
        """Return the id of the account whose key this is or ever was, None if there is none."""
        return _or_none(self.read("holderOf", key))

    def is_active(self, key: Address) -> bool:
        """Say whether this is the present key of an active account."""
        return bool(self.read("isActive", key))

    def standing(self, key: Address) -> Standing | None:
        """Return account, organisation, role and states behind a present key, None if unknown."""
        return _standing(self.read("standing", key))

    def standing_at_head(self, key: Address) -> tuple[Block, Standing | None]:
        """As `standing`, with the head."""
        head, answer = self.read_at_head("standing", key)
        return head, _standing(answer)

    # --- keys, guardians, recovery ---------------------------------------------------------

    def rotate_key(self, key: Address) -> Call:
        """Ask for a new key for the sender's account; it waits."""
        return self.write("rotateKey", key)

    def cancel_rotation(self) -> Call:
        """Withdraw the sender's waiting rotation."""
        return self.write("cancelRotation")

    def complete_rotation(self, account: bytes) -> Call:
        """Put a waiting key in force after the delay."""
        return self.write("completeRotation", account)

    def set_guardians(self, *, root: bytes, count: int, threshold: int) -> Call:
        """Ask for a guardian set for the sender's account; it waits."""
        return self.write("setGuardians", root, count, threshold)

    def cancel_guardians(self) -> Call:
        """Withdraw the sender's waiting guardian set."""
        return self.write("cancelGuardians")

    def complete_guardians(self, account: bytes) -> Call:
        """Put a waiting guardian set in force after the delay."""
        return self.write("completeGuardians", account)

    def freeze(self, *, account: bytes, deadline: int, proofs: Sequence[GuardianProof]) -> Call:
        """Freeze an account at once, signed by k guardians in ascending order of address."""
        return self.write("freeze", account, deadline, _proofs(proofs))

    def try_freeze(self, *, account: bytes, deadline: int, proofs: Sequence[GuardianProof]) -> None:
        """Run `freeze` on the head without a trace. Raises what it would be refused with."""
        self.read("freeze", account, deadline, _proofs(proofs))

    def recover(
        self, *, account: bytes, key: Address, deadline: int, proofs: Sequence[GuardianProof]
    ) -> Call:
        """Start a recovery signed by k guardians; the owner may veto one."""
        return self.write("recover", account, key, deadline, _proofs(proofs))

    def recover_attested(
        self, *, account: bytes, key: Address, deadline: int, attestations: Sequence[bytes]
    ) -> Call:
        """Start a recovery attested by two organisations; it can't be vetoed."""
        return self.write("recoverAttested", account, key, deadline, list(attestations))

    def veto_recovery(self) -> Call:
        """Veto the waiting recovery of the sender's account."""
        return self.write("vetoRecovery")

    def complete_recovery(self, account: bytes) -> Call:
        """Put the recovered key in force after the delay."""
        return self.write("completeRecovery", account)

    def pending_rotation(self, account: bytes) -> PendingKey | None:
        """Return the waiting rotation, None if nothing waits."""
        return _pending_key(self.read("pendingRotation", account))

    def pending_recovery(self, account: bytes) -> PendingKey | None:
        """Return the waiting recovery, None if nothing waits."""
        return _pending_key(self.read("pendingRecovery", account))

    def pending_guardians(self, account: bytes) -> PendingGuardians | None:
        """Return the waiting guardian set, None if nothing waits."""
        pending = PendingGuardians(*self.read("pendingGuardians", account))
        return pending if pending.ready_at else None

    def owner_nonce(self, account: bytes) -> int:
        """Return the nonce that the owner's next signature carries.

        Raises Unsupported on a network whose `Accounts` is from before `OWNER_VERBS`.
        """
        try:
            return int(self.read("ownerNonce", account))
        except Conflict as error:
            raise Unsupported(
                "The network's contract Accounts is older than this and takes no such signature.",
                advice="Its owners upgrade Accounts first (docs/operations/upgrade.md).",
            ) from error

    def owner_signed(self, data: TypedData, signature: bytes) -> Call:
        """Relay what an account's key signed, as `owner_data` says it."""
        verb, _ = OWNER_VERBS[data.primary]
        *what, nonce, deadline = data.values
        return self.write(verb, *what, (nonce, deadline, signature))

    def delay_seconds(self) -> int:
        """Return how long rotations, guardian sets and recoveries wait."""
        return int(self.read("delaySeconds"))

    # --- vaults ----------------------------------------------------------------------------

    def open_vault(self, *, tag: bytes, descriptor: bytes, m: int, n: int) -> Call:
        """Open a provisional vault of n custodians, m of whom open a record."""
        return self.write("openVault", tag, descriptor, m, n)

    def set_vault(
        self,
        *,
        tag: bytes,
        account: bytes,
        deadline: int,
        signature: bytes,
        attestations: Sequence[bytes],
    ) -> Call:
        """Set the account that controls a vault, once; see the two digests below."""
        return self.write("setVault", tag, account, deadline, signature, list(attestations))

    def vault(self, tag: bytes) -> Vault | None:
        """Return a vault, None if it is unknown."""
        organisation, descriptor, control, *rest = self.read("vault", tag)
        if not any(organisation):
            return None
        return Vault(organisation, descriptor, _or_none(control), *rest)

    # --- EIP-712 digests -------------------------------------------------------------------

    def claim_vault_data(self, *, tag: bytes, account: bytes, deadline: int) -> TypedData:
        """Return what the patient's key signs to take a vault."""
        return self._vault_data("ClaimVault", tag, account, deadline)

    def claim_vault_digest(self, *, tag: bytes, account: bytes, deadline: int) -> bytes:
        """Return the digest of `claim_vault_data`."""
        return self.claim_vault_data(tag=tag, account=account, deadline=deadline).digest

    def attest_vault_digest(self, *, tag: bytes, account: bytes, deadline: int) -> bytes:
        """Return what two organisations sign to attest who a vault belongs to."""
        return self._vault_data("AttestVault", tag, account, deadline).digest

    def read_pass_data(
        self, *, account: bytes, organisation: bytes, key: Address, until: int
    ) -> TypedData:
        """Return what an account's key signs so that another one reads for it for a time.

        No contract verb takes it: custodians do (`access.passes`).
        """
        text = "ReadPass(bytes32 account,bytes32 organisation,address key,uint256 until)"
        return self._data(text, account, organisation, key, until)

    def erase_vault_data(self, *, tag: bytes, issued: int) -> TypedData:
        """Return what an account's key signs to have its vault erased everywhere.

        No contract takes it: custodians do (`access.orders`).
        """
        return self._data("EraseVault(bytes32 tag,uint256 issued)", tag, issued)

    def freeze_digest(self, *, account: bytes, nonce: int, deadline: int) -> bytes:
        """Return what a guardian signs to freeze; `nonce` is `Account.guardian_nonce`."""
        text = "Freeze(bytes32 account,uint256 nonce,uint256 deadline)"
        return self._data(text, account, nonce, deadline).digest

    def recover_digest(
        self, *, account: bytes, key: Address, nonce: int, deadline: int, attested: bool = False
    ) -> bytes:
        """Return what a guardian (or, `attested`, an organisation) signs to recover an account."""
        verb = "AttestRecovery" if attested else "Recover"
        text = f"{verb}(bytes32 account,address key,uint256 nonce,uint256 deadline)"
        return self._data(text, account, key, nonce, deadline).digest

    def move_account_data(
        self, *, account: bytes, organisation: bytes, wallet: Address, deadline: int
    ) -> TypedData:
        """Return what a wallet signs to show that it is there, before an account becomes its.

        No contract takes it: the account's home does, and asks the ledger for a rotation then.
        """
        text = "MoveAccount(bytes32 account,bytes32 organisation,address wallet,uint256 deadline)"
        return self._data(text, account, organisation, wallet, deadline)

    def owner_data(self, verb: str, /, **said: bytes | int) -> TypedData:
        """Return what an account's key signs, one of `OWNER_VERBS`: ``account``, what the verb
        takes, ``nonce`` (`owner_nonce`) and ``deadline``, by name."""
        _, what = OWNER_VERBS[verb]
        text = f"{verb}(bytes32 account,{what},uint256 nonce,uint256 deadline)"
        names = ("account", *(one.split()[1] for one in what.split(",")), "nonce", "deadline")
        return self._data(text, *(said[name] for name in names))

    def _vault_data(self, verb: str, tag: bytes, account: bytes, deadline: int) -> TypedData:
        text = f"{verb}(bytes32 tag,bytes32 account,uint256 deadline)"
        return self._data(text, tag, account, deadline)

    def _data(self, struct: str, *values: bytes | int) -> TypedData:
        return TypedData(
            name="SIMDES Accounts",
            chain_id=self.ledger.chain_id(),
            contract=self.address,
            struct=struct,
            values=values,
        )


def _address(text: str) -> Address:
    """Turn the hex text that eth_abi gives into 20 bytes."""
    return bytes.fromhex(text[2:])


def _standing(answer: tuple[bytes, bytes, int, int, int, bool]) -> Standing | None:
    account, organisation, role, state, organisation_state, frozen = answer
    if not any(account):
        return None
    return Standing(
        account, organisation, Role(role), State(state), State(organisation_state), frozen
    )


def _or_none(identifier: bytes) -> bytes | None:
    return identifier if any(identifier) else None


def _pending_key(fields: tuple[str, int, bool]) -> PendingKey | None:
    key, ready_at, attested = fields
    return PendingKey(_address(key), ready_at, attested) if ready_at else None


def _proofs(proofs: Sequence[GuardianProof]) -> list[tuple[bytes, int, list[bytes], bytes]]:
    return [(proof.salt, proof.index, list(proof.path), proof.signature) for proof in proofs]
