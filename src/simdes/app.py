"""The only wiring: which ledger, store, database, clock and randomness an organisation runs on.

A folder holds one organisation: `simdes.toml` (settings), `keystore.json` (keys, locked),
`network.json` (the network's contracts), `pins.json` (what its operator accepted of them),
`attest.json` (identity checks it relies on) and, on the embedded default, its database.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from simdes import config
from simdes.access import accounts
from simdes.access.accounts import Agent
from simdes.access.categories import Role, kind_of
from simdes.access.claims import Remembered
from simdes.access.descriptors import OrganisationDescriptor
from simdes.access.desk import Desk
from simdes.access.keystore import KeyStore, read_passphrase, write_passphrase
from simdes.access.tokens import Issuer
from simdes.app_keys_http import HttpKeySource
from simdes.config import Settings
from simdes.custody_http import LocalCustody
from simdes.errors import Conflict, Invalid, SimdesError
from simdes.exchange import membership
from simdes.exchange.claims.rules import claim_rules
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.facade import Facade, Options
from simdes.exchange.following import BELIEVED_SECONDS, Following
from simdes.exchange.intake import read_site
from simdes.exchange.node import Node
from simdes.exchange.prescriptions.rules import Rules, rules_of
from simdes.exchange.standing import Standing
from simdes.fhir.profiles import Profiles, load_package
from simdes.fhir_credentials import read_credentials, read_hosts
from simdes.fhir_http import HttpSource
from simdes.hook_http import HttpHooks
from simdes.import_http import HttpFiles
from simdes.index.migrations import migrate
from simdes.index.transactions import Transactions
from simdes.lanes import LANES, Leases, sending
from simdes.ledger.contracts import Contracts
from simdes.ledger.deploy import DEMO, PRODUCTION, Delays, deploy
from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.lane import Lane, MemoryTransactionStore, StoredTransaction
from simdes.ledger.ledger import open_ledger
from simdes.ledger.network import Addresses, pins
from simdes.mapper import Site
from simdes.own_desk import own_desk, share_of
from simdes.own_ledger import read_network, send_lost_again
from simdes.own_mail import own_mail
from simdes.own_proofs import verifiers_for
from simdes.secret_files import named, secret_of
from simdes.storage.store import open_store

ADMINISTRATOR = "admin"

SETTING_UP_SECONDS = 120.0
"""How long founding or joining a network waits for a block; a verb waits much shorter."""

DELAYS: dict[str, Delays] = {"production": PRODUCTION, "demo": DEMO}

Clock = Callable[[], float]
Random = Callable[[int], bytes]

RESTORING = "restoring.json"
"""A mark in the folder: a restore is under way, or was broken off (`simdes.backup`)."""

_here = LocalCustody()


@dataclass(frozen=True, slots=True)
class Opened:
    """An organisation that runs in this process: its node and its custody API."""

    settings: Settings
    data: Path
    node: Node
    custody: CustodyDesk


def passphrase_file(data: Path) -> Path:
    """Where `init` keeps a passphrase that it made itself."""
    return data / "passphrase"


def create(
    data: Path,
    settings: Settings,
    *,
    passphrase: str | None,
    administrator_passphrase: str,
    network: Path | None,
    delays: Delays = PRODUCTION,
    keys: Path | None = None,
    clock: Clock = time.time,
    random: Random = secrets.token_bytes,
) -> Addresses:
    """Make a new organisation in ``data`` and ask the network to admit it.

    Without ``network`` it founds one: deploys the contracts, owns them alone for the time being
    and is verified at once. ``keys`` is the folder of a ceremony's keys for its proofs; without,
    the shipped ones serve a network of demo delays, and any other takes no proof. Raises Conflict
    where the folder holds an organisation already; a try that failed leaves nothing behind but
    keys that were never used.
    """
    verifiers, pinned = verifiers_for(keys, development=delays == DEMO)
    config.save(data, settings)
    if passphrase is None:
        passphrase = write_passphrase(passphrase_file(data), random)
    settings = config.load(data)
    organisation = bytes.fromhex(settings.organisation[2:])
    keystore = KeyStore.create(
        data / "keystore.json", passphrase, organisation=organisation, lanes=LANES, random=random
    )
    person, key = accounts.new_person(
        keystore,
        ADMINISTRATOR,
        role=Role.ADMINISTRATOR,
        passphrase=administrator_passphrase,
        random=random,
    )
    migrate(settings.database_url)
    ledger = open_ledger(settings.ledger_url, clock=clock, agreeing=settings.ledger_agree)
    store = open_store(settings.store_url)
    lane = Lane(ledger, key, MemoryTransactionStore(), timeout_seconds=SETTING_UP_SECONDS)
    addresses = (
        deploy(
            lane,
            administrators=[key.address],
            threshold=1,
            delays=delays,
            verifiers=verifiers,
            keys=pinned,
        )
        if network is None
        else read_network(network, ledger)
    )
    _write_json(data / "network.json", addresses.to_dict())
    _write_json(data / "pins.json", pins(ledger, addresses).to_dict())
    membership.ask_to_join(
        Contracts(ledger, addresses),
        store,
        lane,
        _descriptor(settings, keystore),
        account=person.account,
        agents=keystore.lane_addresses(),
        random=random,
    )
    ledger.close()
    if network is None:
        with opened(data, passphrase=passphrase, clock=clock, random=random) as made:
            membership.verify_organisation(made.node, key, organisation)
    return addresses


def _descriptor(settings: Settings, keystore: KeyStore) -> OrganisationDescriptor:
    return OrganisationDescriptor(
        organisation=keystore.organisation,
        kind=int(kind_of(settings.kind)),
        name=settings.name,
        url=settings.custody_url,
        public=keystore.descriptor_key.public,
    )


@contextmanager
def opened(
    data: Path,
    *,
    passphrase: str | None = None,
    clock: Clock = time.time,
    random: Random = secrets.token_bytes,
    processes: int = 1,
    upgrade: bool = True,
) -> Iterator[Opened]:
    """Open an organisation's parts, and close them at the end.

    ``processes``: how many answer requests together. Each takes its share of what callers may do in
    a minute, and borrows a ledger lane where one has no process of its own.

    An older database is brought to this program's schema, unless ``upgrade`` is False.

    Raises NotFound where the folder holds none, Unauthenticated without its passphrase, Unavailable
    where ledger, store or database do not answer, Conflict where the database's schema left this
    program behind.
    """
    settings = config.load(data)
    _require_restored(data)
    word = passphrase or read_passphrase(passphrase_file(data))
    with ExitStack() as stack:
        parts = own_desk(
            data,
            settings,
            word,
            here=_here,
            clock=clock,
            random=random,
            processes=processes,
            upgrade=upgrade,
        )
        desk, custody = stack.enter_context(parts)
        app_keys = stack.enter_context(closing(HttpKeySource(clock)))
        hooks = stack.enter_context(closing(HttpHooks(settings.subscription_hosts)))
        credentials = named(data, settings.import_credentials_file)
        known = read_hosts(credentials, clock=clock, random=random)
        files = stack.enter_context(closing(HttpFiles(settings.import_hosts, credentials=known)))
        transactions = Transactions(desk.database, StoredTransaction)
        following = _following(desk, transactions)
        node = Node(
            name=settings.name,
            desk=desk,
            following=following,
            agent=stack.enter_context(_lane(desk, settings, data, transactions, processes)),
            custody=custody,
            app_keys=app_keys,
            hooks=hooks,
            files=files,
            mail=own_mail(data, settings),
            transactions=transactions,
            issuer=_issuer(desk, settings, following),
            site=_site(data, settings),
            shares_needed=settings.shares_needed,
            custodians=settings.custodians,
            standing=Standing(desk.contracts.ledger),
            profiles=_profiles(data),
            profiles_bind=settings.profile_errors == "refuse",
            rules=_rules(settings, data, processes),
            claims=replace(
                claim_rules(settings.kind, data), publish_hours=settings.fingerprint_hours
            ),
        )
        yield Opened(settings, data, node, CustodyDesk(desk, following))


def _require_restored(data: Path) -> None:
    if (data / RESTORING).exists():
        raise Conflict(
            "A restore of this organisation is under way, or was broken off.",
            advice="Wait for it, or repeat `simdes restore` as it was given.",
        )


def _following(desk: Desk, transactions: Transactions[StoredTransaction]) -> Following:
    """A ledger in this process says what its head is for nothing; another's is asked over HTTP."""
    ledger = desk.contracts.ledger
    return Following(
        desk,
        believed_seconds=0.0 if isinstance(ledger, EmbeddedLedger) else BELIEVED_SECONDS,
        reorganised=partial(send_lost_again, ledger, transactions),
    )


def _lane(
    desk: Desk,
    settings: Settings,
    data: Path,
    transactions: Transactions[StoredTransaction],
    processes: int,
) -> AbstractContextManager[Agent]:
    """The ledger lane that this process sends with."""
    lanes, ledger = desk.keystore.lanes, desk.contracts.ledger
    shared = settings.database_url.startswith("postgres")
    (data / "lanes").mkdir(exist_ok=True)
    leases = Leases(data, desk.database, lanes, desk.clock) if shared else None
    return sending(data, ledger, lanes, transactions, borrow=processes > 1, leases=leases)


def _issuer(desk: Desk, settings: Settings, following: Following) -> Issuer:
    name = settings.custody_url.rstrip("/")
    return Issuer(
        keystore=desk.keystore,
        database=desk.database,
        name=name,
        audience=f"{name}/fhir",
        clock=desk.clock,
        random=desk.random,
        remembered=Remembered(following.head),
    )


def _rules(settings: Settings, data: Path, processes: int) -> Rules:
    whole = rules_of(settings, data)
    return replace(whole, proofs_per_minute=share_of(whole.proofs_per_minute, processes))


def _site(data: Path, settings: Settings) -> Site:
    """What this organisation's folder ``mapping`` says about its sources, if it has one."""
    default = Site(name=settings.name, time_zone=settings.time_zone)
    folder = data / "mapping"
    return read_site(folder, default=default) if folder.is_dir() else default


def _profiles(data: Path) -> Profiles:
    """What the FHIR packages in the organisation's folder ``packages`` define.

    Raises Invalid, naming the file, for one that can't be read: better said at the start.
    """
    loaded = []
    for path in sorted((data / "packages").glob("*.tgz")):
        try:
            loaded.append(load_package(path))
        except SimdesError as error:
            raise Invalid(f"{path}: {error.message}", advice="Replace or remove it.") from error
    return Profiles(loaded)


@contextmanager
def facade(one: Opened) -> Iterator[Facade]:
    """The reader of the FHIR server that the settings name; Conflict where they name none."""
    settings = one.settings
    if not settings.facade_url:
        raise Conflict(
            "This organisation reads no other FHIR server.",
            advice='Set facade_url in simdes.toml (docs/guide.md, "Keep your FHIR server").',
        )
    authority = named(one.data, settings.facade_ca_file)
    with ExitStack() as stack:
        credentials = read_credentials(
            named(one.data, settings.facade_credentials_file),
            authority=authority,
            clock=one.node.desk.clock,
            random=one.node.random,
        )
        source = HttpSource(settings.facade_url, credentials=credentials, authority=authority)
        stack.callback(source.close)
        yield Facade(
            one.node,
            source,
            Options(
                types=tuple(settings.facade_types.replace(",", " ").split()),
                mode=settings.facade_mode,
                page_size=settings.facade_page_size,
                poll_seconds=settings.facade_poll_seconds,
                overlap_seconds=settings.facade_overlap_seconds,
                notify_url=settings.facade_notify_url,
                notify_secret=secret_of(one.data, settings.facade_notify_secret_file),
            ),
        )


@contextmanager
def answering(one: Opened) -> Iterator[None]:
    """Let this organisation's custody API be asked inside this process, without a server.

    Where it is opened a second time, the first one answers again afterwards.
    """
    before = _here.open(one.node.organisation, one.custody.answer)
    try:
        yield
    finally:
        if before is None:
            _here.shut(one.node.organisation)
        else:
            _here.open(one.node.organisation, before)


@contextmanager
def network(url: str, path: Path, *, clock: Clock = time.time) -> Iterator[Contracts]:
    """The contracts of a network on a ledger of the caller's choice, for checking proofs."""
    ledger = open_ledger(url, clock=clock)
    try:
        yield Contracts(ledger, read_network(path, ledger))
    finally:
        ledger.close()


def accept_pins(data: Path, one: Opened) -> None:
    """Write down the network's contracts as they are now: the operator accepted them."""
    found = pins(one.node.contracts.ledger, one.node.contracts.addresses)
    _write_json(data / "pins.json", found.to_dict())


def _write_json(path: Path, document: dict[str, object]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
