"""What an erased patient shared opens for nobody, whatever anybody kept (decision 56).

Two patients of one hospital share with doctors elsewhere, who read. Disks, backups, ledger and
every stored byte are kept; then one patient erases. Whoever has all of it, with every passphrase,
and the old disk of one custodian besides, opens the other patient's records and none of hers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from simdes.access.requests import verify_receipt
from simdes.backup import restoring
from simdes.backup.restoring import Wanted
from simdes.errors import SimdesError
from simdes.exchange import consents, erasure, opening, retrieve
from simdes.exchange.erasure import Erasure
from simdes.exchange.submit import Accepted
from simdes.own_store import storekeeper
from support import consortium
from support.backups import NAMES, back_up_all, keep_keys_of_all
from support.bundles import bundle
from support.consortium import Consortium
from support.hoarder import Hoard

NEEDED = 2
"""Of three custodians."""
COLLECTOR = "south"
"""Where somebody read it, and hoards."""


def words(patient: str) -> set[bytes]:
    """What stands in a patient's record, one phrase of each resource."""
    said = [f"{kind} of {patient}" for kind in ("Family", "condition", "allergy")]
    said += [f"value of {patient}-{what} of {patient}" for what in ("observation-0", "hiv")]
    return {one.encode() for one in said}


def found(opened: dict[str, bytes], patient: str) -> dict[str, set[bytes]]:
    """Which of a patient's words opened, by how."""
    return {
        how: seen
        for how, text in opened.items()
        if (seen := {one for one in words(patient) if one in text})
    }


@dataclass(slots=True)
class Kept:
    """What there was before, what is now, and what the erasure told."""

    folder: Path
    vaults: dict[str, bytes]
    secret_bytes: list[bytes] = field(default_factory=list)
    told: Erasure | None = None
    copies: tuple[int, int] = (0, 0)
    left: dict[str, list[str]] = field(default_factory=dict)

    @property
    def before(self) -> Path:
        """Every organisation's disk as it was."""
        return self.folder / "before"

    @property
    def network(self) -> Path:
        """Every organisation's disk as it is."""
        return self.folder / "network"

    @property
    def backups(self) -> Path:
        """Every organisation's backups, the keys beside them as they are now."""
        return self.folder / "backups"

    def passphrase(self, name: str) -> str:
        """An organisation's, which opens its key store and its backups."""
        return (self.network / name / "passphrase").read_text().strip()

    def hoard(self, place: Path, *old_disks: str) -> Hoard:
        """Everything but old disks, of which only some were kept."""
        place.mkdir()
        hoard = Hoard(place)
        for name in NAMES:
            hoard.take_disk(self.network / name)
            hoard.take_backups(self.backups / name, self.passphrase(name))
            hoard.take_blocks(self.before / name / "blocks")
        for name in old_disks:
            hoard.take_disk(self.before / name)
        return hoard


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Written, shared, read, backed up, kept; erased by the patient, backed up again."""
    folder = tmp_path_factory.mktemp("erased")
    consortium.found(folder / "network", names=NAMES, stores=dict.fromkeys(NAMES, "file:blocks"))
    with consortium.opened(folder / "network") as network:
        made = Kept(folder, {one: _written(network, one) for one in ("ada", "bea")})
        _share_and_read(network, made)
        _spread(network)
    back_up_all(made.network, made.backups)
    shutil.copytree(made.network, made.before)
    with consortium.opened(made.network) as network:
        _erase(network, made)
    keep_keys_of_all(made.network, made.backups)
    back_up_all(made.network, made.backups)
    return made


def _written(network: Consortium, patient: str) -> bytes:
    [answer] = network.submit("north", f"{patient}.json", bundle(patient))
    assert isinstance(answer, Accepted)
    network.settle()
    network.enrol(answer.vault, patient)
    return answer.vault


def _share_and_read(network: Consortium, made: Kept) -> None:
    north, south = network["north"].node, network[COLLECTOR].node
    for patient, vault in made.vaults.items():
        consents.grant(
            north,
            network.session("north", patient),
            vault=vault,
            grantee=consents.whom(south.organisation, "doctor"),
            categories=["demographics", "conditions", "allergies", "observations"],
            labels=["HIV"],
            purposes=["TREAT"],
            valid_seconds=86_400,
        )
        read = retrieve.retrieve(south, network.session(COLLECTOR, "dr.lee"), vault=vault)
        text = b"".join(one.content for one in read.resources)
        assert found({"": text}, patient)[""] == words(patient)
    network.settle()


def _spread(network: Consortium) -> None:
    """Let copies of what is stored lie at every organisation."""
    for _ in range(3):
        for name in NAMES:
            storekeeper(network[name]).work()


def _erase(network: Consortium, made: Kept) -> None:
    """The patient erases; the consent that was given is never taken back."""
    vault, south = made.vaults["ada"], network[COLLECTOR].node
    made.secret_bytes = [one for name in NAMES for one in _wrapped_keys(network, name, vault)]
    control = network.session("north", "ada")
    before = opening.copies_held(south, vault)
    made.told = erasure.erase(network["north"].node, vault, control=control.key)
    made.copies = (before, opening.copies_held(south, vault))
    _spread(network)
    made.left = {name: _left(made.network / name, made.secret_bytes) for name in NAMES}


def _wrapped_keys(network: Consortium, name: str, vault: bytes) -> Iterator[bytes]:
    """The keys of a vault as they lie on an organisation's disk."""
    with network[name].node.database.read() as tx:
        rows = tx.all("SELECT private_wrapped FROM custody_key WHERE vault = :v", v=vault)
        rows += tx.all("SELECT key_wrapped FROM vault WHERE tag = :v", v=vault)
    return (bytes(one) for (one,) in rows if one is not None)


def _left(folder: Path, keys: list[bytes]) -> list[str]:
    """Files of a running organisation in which one of these keys lies."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [one.name for one in files if any(key in one.read_bytes() for key in keys)]


def test_everybody_signs_for_it_and_the_receipts_hold_by_themselves(kept: Kept) -> None:
    told = kept.told
    assert told is not None and told.holds and not told.waiting
    assert len(told.receipts) == len(NAMES)
    with consortium.opened(kept.network) as network:
        accounts = network["north"].node.contracts.accounts
        for one in told.receipts:
            claims, signer = verify_receipt(one.token)
            assert claims.receipt["vault"] == "0x" + kept.vaults["ada"].hex()
            assert claims.receipt["epochs"] == [1]
            assert accounts.account_of(signer) is not None
        again = erasure.look(network["north"].node, kept.vaults["ada"])
    assert again.receipts == told.receipts, "the patient can show them at any time"


def test_a_reader_s_copies_go_at_once(kept: Kept) -> None:
    before, after = kept.copies
    assert before > 0
    assert after == 0


def test_no_byte_of_a_destroyed_key_lies_on_a_running_organisation_s_disk(kept: Kept) -> None:
    assert len(kept.secret_bytes) == 2 * len(NAMES), "of each a custodian's and a local key"
    assert all(_left(kept.before / name, kept.secret_bytes) for name in NAMES)
    assert kept.left == {name: [] for name in NAMES}


def test_everything_that_was_kept_opens_nothing_of_hers(kept: Kept, tmp_path: Path) -> None:
    opened = kept.hoard(tmp_path / "hoard", "east").read()
    assert found(opened, "bea") == {"shares": words("bea"), "local": words("bea")}
    assert found(opened, "ada") == {}


def test_the_same_hoard_opened_hers_before_and_does_with_enough_old_disks(
    kept: Kept, tmp_path: Path
) -> None:
    """What is tried above is enough, where there is something to open with."""
    before = Hoard(tmp_path)
    for name in NAMES:
        before.take_disk(kept.before / name)
    assert found(before.read(), "ada") == {"shares": words("ada"), "local": words("ada")}
    colluding = kept.hoard(tmp_path / "colluding", *("east", "south")[:NEEDED]).read()
    assert found(colluding, "ada")["shares"] == words("ada")


@pytest.fixture(scope="module")
def restored(kept: Kept) -> Iterator[Consortium]:
    """All organisations, brought back from their backups of before the erasure."""
    folder = kept.folder / "restored"
    folder.mkdir()
    for path in kept.network.glob("ledger.sqlite*"):
        shutil.copy(path, folder)
    with consortium.own_settings():
        for name in NAMES:
            first = min(path.name for path in (kept.backups / name / "archives").iterdir())
            restoring.restore(
                Wanted(
                    data=folder / name,
                    folder=kept.backups / name,
                    passphrase=kept.passphrase(name),
                    name=first.removesuffix(".backup"),
                )
            )
            shutil.copy(kept.network / name / "passphrase", folder / name)
    with consortium.opened(folder) as network:
        yield network


READERS: dict[str, Callable[[Consortium, bytes], object]] = {
    "who was let in": lambda network, vault: retrieve.retrieve(
        network[COLLECTOR].node, network.session(COLLECTOR, "dr.lee"), vault=vault
    ),
    "who wrote it": lambda network, vault: retrieve.retrieve(
        network["north"].node, network.session("north", "dr.north"), vault=vault
    ),
}


@pytest.mark.parametrize("who", READERS)
def test_restored_from_before_nobody_reads_hers_and_they_read_the_other_s(
    kept: Kept, restored: Consortium, who: str
) -> None:
    assert READERS[who](restored, kept.vaults["bea"])
    with pytest.raises(SimdesError):
        READERS[who](restored, kept.vaults["ada"])


def test_the_ledger_that_all_keep_tells_nothing_of_a_record(kept: Kept) -> None:
    ledger = b"".join(path.read_bytes() for path in kept.network.glob("ledger.sqlite*"))
    assert kept.vaults["ada"] in ledger or kept.vaults["ada"].hex().encode() in ledger
    assert not [one for one in words("ada") | words("bea") if one in ledger]
