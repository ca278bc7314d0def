"""For whom this organisation attests that an account is the person of a vault, and who decided it.

`Accounts.setVault` wants the signatures of two organisations. Software must not invent that an
identity was checked, so the agent signs only under a standing decision that an administrator of
this organisation signed with their own key: either for one vault and account, after seeing the
person, or for everything that another organisation has checked, until a day. The list is a file
next to the key store; each decision carries its signature and stops counting when the
administrator's account does (docs/formats/vault.md, "Attestation").
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simdes.access.categories import Role
from simdes.access.requests import Signer
from simdes.crypto import cbor
from simdes.crypto.digest import keccak256
from simdes.crypto.keys import recover
from simdes.errors import Forbidden, Invalid, SimdesError
from simdes.ledger.contracts import Contracts

ANY: Final = bytes(32)
_TAG: Final = b"simdes/attest-decision/v1"


@dataclass(frozen=True, slots=True)
class Decision:
    """What an administrator decided.

    Either `vault` and `account` name one person, or both are zero and `checked_by` names the
    organisation whose identity checks count here. It holds until `until_seconds`.
    """

    organisation: bytes
    vault: bytes
    account: bytes
    checked_by: bytes
    until_seconds: int
    signature: bytes = b""

    def digest(self, chain_id: int) -> bytes:
        """What the administrator signs."""
        fields = [self.organisation, self.vault, self.account, self.checked_by, self.until_seconds]
        return keccak256(_TAG + cbor.encode([chain_id, *fields]))


class Attestations:
    """The list of an organisation's decisions, kept in a file with mode 0600."""

    def __init__(self, path: Path, organisation: bytes) -> None:
        self._path = path
        self._organisation = organisation
        self._lock = threading.Lock()

    def decide(
        self,
        administrator: Signer,
        contracts: Contracts,
        *,
        until_seconds: int,
        vault: bytes = ANY,
        account: bytes = ANY,
        checked_by: bytes = ANY,
    ) -> Decision:
        """Add a decision, signed by an administrator of this organisation.

        Raises `Invalid` unless it names one person or one organisation, `Forbidden` unless the
        signer is an active administrator here.
        """
        person = ANY not in (vault, account) and checked_by == ANY
        trust = vault == ANY and account == ANY and checked_by not in (ANY, self._organisation)
        if not person and not trust:
            raise Invalid("A decision names either a vault and an account, or an organisation.")
        unsigned = Decision(self._organisation, vault, account, checked_by, until_seconds)
        signature = administrator.sign(unsigned.digest(contracts.ledger.chain_id()))
        fields = (self._organisation, vault, account, checked_by, until_seconds)
        decision = Decision(*fields, signature)
        if not self._counts(contracts, decision):
            raise Forbidden("Only an active administrator of this organisation decides this.")
        self._add(decision)
        return decision

    def listed(self) -> tuple[Decision, ...]:
        """Every decision in the file, whether it still counts or not."""
        try:
            document = json.loads(self._path.read_bytes())
            return tuple(_read(entry) for entry in document)
        except FileNotFoundError:
            return ()
        except (ValueError, TypeError, KeyError) as error:
            raise Invalid("The list of attestation decisions is damaged.") from error

    def covers(
        self, contracts: Contracts, *, vault: bytes, account: bytes, now_seconds: int
    ) -> bool:
        """Whether a decision that counts now covers this vault and account.

        A decision to rely on another organisation covers the patients of that organisation in
        vaults that it opened.
        """
        checker: bytes | None = None
        known, holder = contracts.accounts.vault(vault), contracts.accounts.account(account)
        if known is not None and holder is not None and known.organisation == holder.organisation:
            checker = known.organisation
        return any(
            decision.until_seconds > now_seconds
            and (
                (decision.vault, decision.account) == (vault, account)
                or (checker is not None and decision.checked_by == checker)
            )
            and self._counts(contracts, decision)
            for decision in self.listed()
        )

    def _counts(self, contracts: Contracts, decision: Decision) -> bool:
        if decision.organisation != self._organisation:
            return False
        try:
            signer = recover(decision.digest(contracts.ledger.chain_id()), decision.signature)
        except SimdesError:
            return False
        standing = contracts.accounts.standing(signer)
        return (
            standing is not None
            and standing.active
            and standing.role is Role.ADMINISTRATOR
            and standing.organisation == self._organisation
        )

    def _add(self, decision: Decision) -> None:
        guard = self._path.with_suffix(".lock")
        with self._lock, guard.open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            entries = [_written(entry) for entry in (*self.listed(), decision)]
            descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=".attest-")
            with os.fdopen(descriptor, "w") as file:
                json.dump(entries, file)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)


def _written(decision: Decision) -> dict[str, Any]:
    return {
        "organisation": "0x" + decision.organisation.hex(),
        "vault": "0x" + decision.vault.hex(),
        "account": "0x" + decision.account.hex(),
        "checked_by": "0x" + decision.checked_by.hex(),
        "until_seconds": decision.until_seconds,
        "signature": base64.b64encode(decision.signature).decode(),
    }


def _read(entry: dict[str, Any]) -> Decision:
    names = ("organisation", "vault", "account", "checked_by")
    ids = [bytes.fromhex(entry[name].removeprefix("0x")) for name in names]
    signature = base64.b64decode(entry["signature"], validate=True)
    return Decision(ids[0], ids[1], ids[2], ids[3], int(entry["until_seconds"]), signature)
