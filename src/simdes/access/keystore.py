"""The key store: one file that holds every secret of an organisation and of the people it hosts.

A random master key is locked with Argon2id (RFC 9106) under the organisation's passphrase and
wraps the organisation's own secrets: database key, descriptor key (HPKE), agent lane keys and the
token signing key. A hosted person's account key is locked under *their* passphrase, so whoever
starts the gateway cannot sign for them; nothing here signs for somebody whose key a wallet of their
own keeps (`Person.wallet`): their entry has no key. User names and display data are wrapped under
the master key and stand nowhere else. The file is written atomically with mode 0600; no verb
exports it and nothing here is logged.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from simdes.access.categories import Role
from simdes.access.keystore_file import VERSION, bytes_of, read, text_of, write
from simdes.crypto import cbor
from simdes.crypto.keys import (
    DEFAULT_COST,
    ArgonCost,
    OpeningKey,
    SigningKey,
    lock,
    unlock,
    unwrap,
    wrap,
)
from simdes.errors import Conflict, Invalid, NotFound, SimdesError, Unauthenticated

Random = Callable[[int], bytes]
PASSPHRASE_VARIABLE = "SIMDES_PASSPHRASE"  # noqa: S105 (the name of a variable)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at home here. `user` and `display` are known to this organisation alone.

    ``wallet``: their key is kept by a wallet of their own and was never here, or is not any more.
    """

    user: str
    account: bytes
    address: bytes
    role: Role
    display: str
    wallet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """What a person's first sign-in brings them: a vault, with two organisations' attestations.

    Until then a code of ours locks their key, which is no passphrase. ``attestations`` are none
    while they are not collected yet.
    """

    vault: bytes
    until_seconds: int
    attestations: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How somebody's identity was checked: in whose words (an administrator's account), when."""

    words: str
    by: bytes
    at_seconds: int


def read_passphrase(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> str:
    """The organisation's passphrase: `SIMDES_PASSPHRASE`, or a file that only its owner can read.

    Raises `Unauthenticated` when there is neither, or when others may read the file.
    """
    if value := environment.get(PASSPHRASE_VARIABLE):
        return value
    if path is None or not path.is_file():
        raise Unauthenticated(
            "The key store's passphrase is missing.",
            advice=f"Set {PASSPHRASE_VARIABLE}, or put it in a file with mode 0600.",
        )
    if path.stat().st_mode & 0o077:
        raise Unauthenticated(
            f"{path} can be read by others.", advice=f"Run `chmod 600 {path}` and try again."
        )
    return path.read_text(encoding="utf-8").rstrip("\r\n")


def write_passphrase(path: Path, random: Random = secrets.token_bytes) -> str:
    """Make a passphrase of 256 random bits in a new file with mode 0600 and return it."""
    passphrase = base64.urlsafe_b64encode(random(32)).decode().rstrip("=")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Conflict(f"{path} exists already.") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(passphrase + "\n")
    return passphrase


class KeyStore:
    """An opened key store. Make one with `create` or `open`; safe to use from several threads."""

    def __init__(self, path: Path, document: dict[str, Any], master: bytes, random: Random) -> None:
        self._path = path
        self._master = master
        self._random = random
        self._lock = threading.RLock()
        self._document = document
        self._stamp = (0, 0, 0)
        self._people: dict[bytes, Person] = {}
        self.organisation = bytes.fromhex(document["organisation"].removeprefix("0x"))
        self.database_key: bytes = self._secret("database")
        self.descriptor_key = OpeningKey.from_bytes(self._secret("descriptor"))
        self.token_key: ECKey = ECKey.import_key(json.loads(self._secret("token")))
        count = sum(name.startswith("lane/") for name in document["secrets"])
        self.lanes = tuple(
            SigningKey.from_bytes(self._secret(f"lane/{number}")) for number in range(count)
        )

    def __repr__(self) -> str:
        return f"KeyStore(organisation=0x{self.organisation.hex()[:8]}…)"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a key store is never exported")

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str,
        *,
        organisation: bytes,
        lanes: int = 1,
        random: Random = secrets.token_bytes,
        cost: ArgonCost = DEFAULT_COST,
    ) -> KeyStore:
        """Make the secrets of a new organisation; `Conflict` when the file exists."""
        if path.exists():
            raise Conflict(f"{path} exists already.", advice="Choose another folder.")
        master = random(32)
        token = ECKey.generate_key("P-256", private=True)
        plain = {
            "database": random(32),
            "descriptor": OpeningKey.generate(random).to_bytes(),
            "token": json.dumps(token.as_dict(private=True)).encode(),
            **{f"lane/{n}": SigningKey.generate(random).to_bytes() for n in range(lanes)},
        }
        document = {
            "v": VERSION,
            "organisation": "0x" + organisation.hex(),
            "master": text_of(lock(master, passphrase, cost=cost, random=random)),
            "secrets": {
                name: text_of(wrap(master, secret, aad=_aad(organisation, name), random=random))
                for name, secret in plain.items()
            },
            "people": [],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, document)
        return cls(path, document, master, random)

    @classmethod
    def open(cls, path: Path, passphrase: str, *, random: Random = secrets.token_bytes) -> KeyStore:
        """Unlock the organisation's own secrets.

        Raises `NotFound` without a file, `Unauthenticated` for a wrong passphrase, `Invalid` for a
        damaged file, `Unsupported` for a later version.
        """
        document = read(path)
        try:
            master = unlock(bytes_of(document["master"]), passphrase)
        except Unauthenticated as error:
            raise Unauthenticated(
                error.message, advice=f"Check {PASSPHRASE_VARIABLE} or the passphrase file."
            ) from error
        try:
            return cls(path, document, master, random)
        except (KeyError, ValueError, SimdesError) as error:
            raise Invalid(f"{path} is damaged.", advice="Restore it from a backup.") from error

    # People ------------------------------------------------------------------------------------

    def people(self) -> tuple[Person, ...]:
        """Everybody hosted here, in order of registration."""
        return tuple(self._hosted().values())

    def person(self, user: str) -> Person:
        """The person of a user name; `NotFound` when nobody has it."""
        for person in self._hosted().values():
            if person.user == user:
                return person
        raise _nobody()

    def person_of(self, account: bytes) -> Person | None:
        """The person behind an account id, None when at home elsewhere."""
        return self._hosted().get(account)

    def _hosted(self) -> dict[bytes, Person]:
        """People by account; the file is read again only when another process replaced it."""
        with self._lock:
            try:
                status = self._path.stat()
            except FileNotFoundError as error:
                raise NotFound(f"{self._path} does not exist.") from error
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                listed = map(self._person, read(self._path)["people"])
                self._people = {person.account: person for person in listed}
                self._stamp = stamp
            return self._people

    def add_person(
        self,
        person: Person,
        key: SigningKey,
        passphrase: str,
        *,
        cost: ArgonCost = DEFAULT_COST,
        first: First | None = None,
        checked: Checked | None = None,
    ) -> None:
        """Keep a person's account key, locked under their passphrase; `Conflict` if hosted.

        With ``first`` the passphrase is a code that is good for their first sign-in alone.
        """
        if key.address != person.address:
            raise Invalid("The key is not the account's.")
        locked = lock(key.to_bytes(), passphrase, cost=cost, random=self._random)
        entry = {"card": self._card(person), "locked": text_of(locked)}
        if first is not None:
            entry["first"] = self._said("first", person.account, asdict(first))
        if checked is not None:
            entry["checked"] = self._said("checked", person.account, asdict(checked))
        self._add(person, entry)

    def add_wallet(self, person: Person) -> None:
        """Know somebody whose key a wallet of their own keeps; `Conflict` if known already."""
        self._add(person, {"card": self._card(person), "locked": ""})

    def _add(self, person: Person, entry: dict[str, Any]) -> None:
        with self._changing() as document:
            for listed in map(self._person, document["people"]):
                if listed.user == person.user or listed.account == person.account:
                    raise Conflict("The user name is taken.", advice="Choose another user name.")
            document["people"].append(entry)

    def unlock_person(
        self, user: str, passphrase: str, *, first: bool = False, cost: ArgonCost = DEFAULT_COST
    ) -> SigningKey:
        """The account key of a person; `Unauthenticated` alike for wrong user and passphrase.

        ``first``: by the code of a first sign-in that is still to come. Such a code is no
        passphrase, and no passphrase is such a code.
        """
        refused = Unauthenticated("User name or passphrase is wrong.")
        with self._lock:
            document = read(self._path)
        for entry in document["people"]:
            person = self._person(entry)
            if person.user == user and not person.wallet:
                try:
                    key = SigningKey.from_bytes(unlock(bytes_of(entry["locked"]), passphrase))
                except SimdesError:
                    raise refused from None
                if first is not ("first" in entry):
                    raise refused
                return key
        # As slow as for a user who exists, so that names cannot be tried out by the clock.
        lock(bytes(32), passphrase, cost=cost, random=self._random)
        raise refused

    def relock_person(
        self,
        person: Person,
        key: SigningKey,
        passphrase: str,
        *,
        first: bool = False,
        cost: ArgonCost = DEFAULT_COST,
    ) -> None:
        """Lock a person's account key under another passphrase.

        ``first``: in the place of the code of their first sign-in, which is over with it. Raises
        `Invalid` for a key that is not the person's, `NotFound` where nobody like that is hosted,
        or their first sign-in is behind them.
        """
        if key.address != person.address:
            raise Invalid("The key is not the account's.")
        locked = lock(key.to_bytes(), passphrase, cost=cost, random=self._random)
        with self._entry(person.account) as entry:
            if first is not ("first" in entry) or not entry["locked"]:
                raise _nobody()
            entry["locked"] = text_of(locked)
            entry.pop("first", None)

    def lock_key(
        self, key: SigningKey, passphrase: str, *, cost: ArgonCost = DEFAULT_COST
    ) -> bytes:
        """A key locked under a passphrase, to be kept until `replace_key` puts it in force."""
        return lock(key.to_bytes(), passphrase, cost=cost, random=self._random)

    def replace_key(self, account: bytes, address: bytes, locked: bytes) -> None:
        """Give a person another account key, as `lock_key` locked it, once the chain has it.

        Nothing locked: the address is that of a wallet of their own, and no key of theirs is kept
        here any more. Raises `NotFound` where nobody like that is at home here.
        """
        with self._entry(account) as entry:
            changed = replace(self._person(entry), address=address)
            entry |= {"card": self._card(changed), "locked": text_of(locked)}

    # First sign-ins ----------------------------------------------------------------------------

    def firsts(self) -> dict[bytes, First]:
        """Whose first sign-in is still to come, by account."""
        return {
            account: First(**said | {"attestations": tuple(said["attestations"])})
            for account, said in self._all_said("first").items()
        }

    def checks(self) -> dict[bytes, Checked]:
        """How the identity of people was checked, by account, of whom it was written down."""
        return {account: Checked(**said) for account, said in self._all_said("checked").items()}

    def keep_checked(self, account: bytes, checked: Checked) -> None:
        """Keep how somebody's identity was checked last; `NotFound` where nobody is hosted."""
        with self._entry(account) as entry:
            entry["checked"] = self._said("checked", account, asdict(checked))

    def attest_first(self, account: bytes, first: First) -> None:
        """Keep what a first sign-in needs; `NotFound` where none is to come."""
        with self._entry(account) as entry:
            if "first" not in entry:
                raise _nobody()
            entry["first"] = self._said("first", account, asdict(first))

    def endings(self) -> dict[bytes, bytes]:
        """Vaults by the accounts whose slip somebody began to end, and is not known to have."""
        return {account: said["vault"] for account, said in self._all_said("ending").items()}

    def begin_ending(self, account: bytes, vault: bytes) -> None:
        """Note before anything else that a slip is ended; it stays when the person signs in."""
        with self._entry(account) as entry:
            entry["ending"] = self._said("ending", account, {"vault": vault})

    def stop_ending(self, account: bytes) -> None:
        """The slip was not ended; its holder keeps their key."""
        with self._entry(account) as entry:
            entry.pop("ending", None)

    def forget_first(self, account: bytes) -> None:
        """Forget somebody who never signed in, with their key; `NotFound` for anybody else."""
        with self._changing() as document:
            left = [
                one
                for one in document["people"]
                if "first" not in one or self._person(one).account != account
            ]
            if len(left) == len(document["people"]):
                raise _nobody()
            document["people"] = left

    def lane_addresses(self) -> tuple[bytes, ...]:
        """The addresses that send this organisation's transactions and sign its receipts."""
        return tuple(lane.address for lane in self.lanes)

    def _secret(self, name: str) -> bytes:
        wrapped = bytes_of(self._document["secrets"][name])
        return unwrap(self._master, wrapped, aad=_aad(self.organisation, name))

    def _said(self, name: str, account: bytes, said: Mapping[str, Any]) -> str:
        aad = _aad(self.organisation, name) + account
        plain = {key: list(one) if isinstance(one, tuple) else one for key, one in said.items()}
        return text_of(wrap(self._master, cbor.encode(plain), aad=aad, random=self._random))

    def _all_said(self, name: str) -> dict[bytes, dict[str, Any]]:
        with self._lock:
            listed = [one for one in read(self._path)["people"] if name in one]
        found: dict[bytes, dict[str, Any]] = {}
        for entry in listed:
            account = self._person(entry).account
            aad = _aad(self.organisation, name) + account
            said = cbor.decode(unwrap(self._master, bytes_of(entry[name]), aad=aad))
            assert isinstance(said, dict)  # noqa: S101 (our own writing)
            found[account] = said
        return found

    @contextmanager
    def _entry(self, account: bytes) -> Iterator[dict[str, Any]]:
        """One person's entry, to be changed; `NotFound` where nobody like that is hosted."""
        with self._changing() as document:
            for entry in document["people"]:
                if self._person(entry).account == account:
                    yield entry
                    return
            raise _nobody()

    def _card(self, person: Person) -> str:
        card = cbor.encode(
            {
                "user": person.user,
                "account": person.account,
                "address": person.address,
                "role": int(person.role),
                "display": person.display,
            }
        )
        aad = _aad(self.organisation, "person")
        return text_of(wrap(self._master, card, aad=aad, random=self._random))

    def _person(self, entry: Mapping[str, str]) -> Person:
        aad = _aad(self.organisation, "person")
        card: Any = cbor.decode(unwrap(self._master, bytes_of(entry["card"]), aad=aad))
        return Person(**card | {"role": Role(card["role"]), "wallet": not entry["locked"]})

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """Read, change and replace the file, alone among threads and processes."""
        guard = self._path.with_suffix(self._path.suffix + ".lock")
        with self._lock, guard.open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            document = read(self._path)
            yield document
            write(self._path, document)


def _aad(organisation: bytes, name: str) -> bytes:
    return b"simdes/keystore/v1" + organisation + name.encode()


def _nobody() -> NotFound:
    return NotFound("No such user here.", advice="Check the user name.")
