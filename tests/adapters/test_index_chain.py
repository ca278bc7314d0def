"""The read model of the chain's events, on both databases: every verb may be repeated."""

from __future__ import annotations

from adapters.index_rows import id32
from simdes.index import chain, chain_consents, checkpoints
from simdes.index.chain import Account, AuditRoot, Batch, LeafStatus, Organisation, Vault
from simdes.index.chain_consents import Consent
from simdes.index.checkpoints import Checkpoint
from simdes.index.database import Database, Transaction

ORG, ACCOUNT, TAG, HANDLE = id32("org"), id32("account"), id32("tag"), id32("handle")
KEY, NEW_KEY = id32("key")[:20], id32("new key")[:20]


def _organisation(block: int = 1, **changes: object) -> Organisation:
    values: dict[str, object] = {
        "id": ORG, "kind": 1, "state": chain.PENDING, "descriptor": id32("descriptor"),
        "account": ACCOUNT, "block_number": block,
    }  # fmt: skip
    return Organisation(**(values | changes))  # type: ignore[arg-type]


def _account() -> Account:
    return Account(
        id=ACCOUNT, organisation=ORG, role=7, state=chain.PENDING, address=KEY, frozen=0,
        block_number=1,
    )  # fmt: skip


def _vault() -> Vault:
    return Vault(
        tag=TAG, organisation=ORG, descriptor=id32("vault"), m=2, n=3, epoch=1, generation=0,
        control=None, block_number=2,
    )  # fmt: skip


def _grant(handle: bytes = HANDLE) -> Consent:
    return Consent(
        vault=TAG, handle=handle, state=chain_consents.GRANTED, generation=0,
        commitment=id32("commitment"), pointer=id32("pointer"), block_number=4,
    )  # fmt: skip


def _emergency() -> Consent:
    return Consent(
        vault=TAG, handle=id32("emergency"), state=chain_consents.EMERGENCY, emergency=1,
        generation=0, account=ACCOUNT, organisation=ORG, reason=id32("reason"),
        opened_seconds=100, until_seconds=200, review_due_seconds=300, block_number=5,
    )  # fmt: skip


def _tell(tx: Transaction) -> None:
    """A small history, each event as a follower writes it."""
    chain.add_organisation(tx, _organisation())
    chain.add_account(tx, _account())
    chain.set_organisation_state(tx, ORG, chain.VERIFIED)
    chain.set_account_state(tx, ACCOUNT, chain.VERIFIED)
    chain.set_descriptor(tx, ORG, id32("second descriptor"))
    chain.add_vault(tx, _vault())
    chain.add_epoch(tx, chain.Epoch(tag=TAG, epoch=1, descriptor=id32("first epoch")))
    chain.set_control(tx, TAG, id32("patient"))
    chain_consents.add(tx, [_grant(), _emergency()])
    chain_consents.review(tx, TAG, id32("emergency"), 2)
    chain_consents.revoke(tx, TAG, HANDLE, block_number=6)
    chain.set_generation(tx, TAG, 1)
    chain.set_account_key(tx, ACCOUNT, NEW_KEY)
    chain.set_frozen(tx, ACCOUNT, frozen=True)
    chain.add_batches(tx, [_batch(1), _batch(2)])
    chain.set_leaf_status(tx, _status(chain.SUPERSEDED))
    chain.add_audit_roots(tx, [_root(1), _root(2)])


def _batch(number: int) -> Batch:
    return Batch(
        batch_id=id32("batch", number), organisation=ORG, root=id32("root"), count=3,
        manifest=b"\x01\x55\x12\x20" + id32("manifest"), block_number=number,
        transaction_hash=id32("transaction"),
    )  # fmt: skip


def _status(status: int) -> LeafStatus:
    return LeafStatus(
        organisation=ORG, leaf=id32("leaf"), status=status,
        successor=id32("next") if status == chain.SUPERSEDED else None, block_number=status,
    )  # fmt: skip


def _root(seq: int) -> AuditRoot:
    return AuditRoot(
        organisation=ORG, seq=seq, previous_root=id32("root", seq - 1), root=id32("root", seq),
        count=9, block_number=seq, transaction_hash=id32("transaction"),
    )  # fmt: skip


def _everything(tx: Transaction) -> list[list[tuple[object, ...]]]:
    return [tx.all(f"SELECT * FROM {table} ORDER BY 1, 2") for table in chain.TABLES]


def test_a_history_gives_the_state_it_leads_to(database: Database) -> None:
    with database.transaction() as tx:
        _tell(tx)
        organisation = chain.organisation(tx, ORG)
        assert organisation == _organisation(
            state=chain.VERIFIED, descriptor=id32("second descriptor")
        )
        account = chain.account_of(tx, NEW_KEY)
        assert account is not None
        assert (account.id, account.state, account.frozen) == (ACCOUNT, chain.VERIFIED, 1)
        assert chain.account_of(tx, KEY) is None
        vault = chain.vault(tx, TAG)
        assert vault is not None
        assert (vault.control, vault.generation) == (id32("patient"), 1)
        revoked = chain_consents.get(tx, TAG, HANDLE)
        assert revoked is not None
        assert (revoked.state, revoked.commitment) == (
            chain_consents.REVOKED, id32("commitment"),
        )  # fmt: skip
        [emergency] = chain_consents.emergencies(tx, ORG)
        assert (emergency.outcome, emergency.until_seconds) == (2, 200)


def test_following_the_same_events_again_leads_to_the_same_state(database: Database) -> None:
    with database.transaction() as tx:
        _tell(tx)
        before = _everything(tx)
        _tell(tx)
        assert _everything(tx) == before
        assert all(before)


def test_lookups_list_what_belongs_together(database: Database) -> None:
    with database.transaction() as tx:
        _tell(tx)
        other = _organisation(block=9, id=id32("other org"))
        chain.add_organisation(tx, other)
        assert [one.id for one in chain.organisations(tx)] == [ORG, other.id]
        assert [one.id for one in chain.accounts(tx, ORG)] == [ACCOUNT]
        assert chain.account(tx, ACCOUNT) == chain.accounts(tx, ORG)[0]
        assert [one.tag for one in chain.vaults_of(tx, id32("patient"))] == [TAG]
        assert [one.handle for one in chain_consents.of_vault(tx, TAG)] == [
            HANDLE, id32("emergency"),
        ]  # fmt: skip
        assert chain.batch(tx, id32("batch", 1)) == _batch(1)
        assert chain.batches(tx, first_block=2, last_block=9) == [_batch(2)]
        assert chain.audit_root(tx, ORG, 2) == _root(2)
        assert chain.audit_roots(tx, ORG, after=1) == [_root(2)]


def test_a_handle_belongs_to_its_vault(database: Database) -> None:
    with database.transaction() as tx:
        chain_consents.add(tx, [_grant()])
        chain_consents.revoke(tx, id32("another vault"), HANDLE, block_number=9)
        mine = chain_consents.get(tx, TAG, HANDLE)
        assert mine is not None and mine.state == chain_consents.GRANTED


def test_a_burned_handle_is_never_granted(database: Database) -> None:
    with database.transaction() as tx:
        chain_consents.revoke(tx, TAG, HANDLE, block_number=1)
        chain_consents.add(tx, [_grant()])
        held = chain_consents.get(tx, TAG, HANDLE)
        assert held is not None
        assert (held.state, held.commitment) == (chain_consents.REVOKED, None)


def test_a_review_counts_only_for_an_emergency(database: Database) -> None:
    with database.transaction() as tx:
        chain_consents.add(tx, [_grant()])
        chain_consents.review(tx, TAG, HANDLE, 2)
        held = chain_consents.get(tx, TAG, HANDLE)
        assert held is not None and held.outcome == 0


def test_a_revoked_emergency_is_still_known_as_one(database: Database) -> None:
    with database.transaction() as tx:
        chain_consents.add(tx, [_emergency()])
        chain_consents.revoke(tx, TAG, id32("emergency"), block_number=9)
        held = chain_consents.get(tx, TAG, id32("emergency"))
        assert held is not None
        assert (held.state, held.emergency, held.account) == (chain_consents.REVOKED, 1, ACCOUNT)


def test_a_generation_never_falls(database: Database) -> None:
    with database.transaction() as tx:
        chain.add_vault(tx, _vault())
        for generation in (2, 1, 2):
            chain.set_generation(tx, TAG, generation)
        vault = chain.vault(tx, TAG)
        assert vault is not None and vault.generation == 2


def test_erased_is_the_last_word_on_a_leaf(database: Database) -> None:
    with database.transaction() as tx:
        for status in (chain.SUPERSEDED, chain.ERASED, chain.SUPERSEDED):
            chain.set_leaf_status(tx, _status(status))
        assert chain.leaf_statuses(tx, ORG, [id32("leaf"), id32("current leaf")]) == {
            id32("leaf"): _status(chain.ERASED)
        }


def test_a_swapped_chain_is_forgotten_whole(database: Database) -> None:
    with database.transaction() as tx:
        _tell(tx)
        checkpoints.put(tx, "events", Checkpoint(9, id32("block")))
        checkpoints.put(tx, "other", Checkpoint(9, id32("block")))
        chain.forget(tx, follower="events")
        assert _everything(tx) == [[]] * len(chain.TABLES)
        assert checkpoints.get(tx, "events") is None
        assert checkpoints.get(tx, "other") is not None
