"""How often an opening elsewhere asks the ledger node, and how often question waits for question.

Counted, not timed: every exchange with a node costs a network's round trip, whoever measures. The
members ask one ledger as JSON-RPC, each through a transport that counts.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from simdes import own_ledger
from simdes.access import reading
from simdes.access.consent import Grantee
from simdes.app import ADMINISTRATOR
from simdes.errors import Unavailable
from simdes.exchange import anchoring, consents, membership, opening, retrieve
from simdes.exchange.custody import CustodyDesk
from simdes.exchange.submit import Accepted
from simdes.index import copies
from simdes.ledger.holding import open_embedded
from simdes.ledger.jsonrpc import JsonRpcLedger
from simdes.ledger.rpc import RpcFace
from support import consortium
from support.bundles import bundle
from support.consortium import Consortium

NAMES = ("north", "south", "east")
READER = "south"
_answering = threading.local()


@dataclass(slots=True)
class Counted(httpx.BaseTransport):
    """A member's way to the ledger node; each exchange by whom it was for.

    ``alone`` are those that a reader's own thread waited for, one after another; ``beside`` those
    of its other threads; ``custodian`` those made while it answered a question of custody.
    """

    face: RpcFace
    exchanges: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    """Questions of custody that it answered."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer from the ledger."""
        if getattr(_answering, "custody", False):
            who = "custodian"
        else:
            who = "alone" if threading.current_thread() is threading.main_thread() else "beside"
        with self._lock:
            self.exchanges[who] += 1
        return httpx.Response(200, content=self.face.reply(request.read()))


@dataclass(frozen=True, slots=True)
class Counting:
    """The network, each member's counted way, and a vault of one record that south may read."""

    network: Consortium
    ways: dict[str, Counted]
    vault: bytes
    larger: bytes
    """Bea's, of three records."""

    def open(self) -> None:
        """Read the record where no copy is held, and count nothing but that."""
        node = self.network[READER].node
        node.database.write(lambda tx: copies.drop_vault(tx, self.vault))
        for way in self.ways.values():
            way.exchanges.clear()
            way.answers = 0
        read = retrieve.retrieve(node, self.network.session(READER, "dr.lee"), vault=self.vault)
        assert [one.type for one in read.resources] == ["Observation"]

    def make_a_block(self) -> None:
        """Something of no matter to Ada or her reader happens on the chain."""
        owner = self.network.session("north", ADMINISTRATOR)
        node = self.network["north"].node
        membership.verify_organisation(node, owner.key, self.network["east"].node.organisation)


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    """Three organisations, 2-of-3 custodians, whose ledger is a node to each of them."""
    folder = tmp_path_factory.mktemp("counted") / "network"
    consortium.found(folder, names=NAMES)
    now = consortium.Clock()()
    ledger: Any = open_embedded(str(folder / "ledger.sqlite"), clock=lambda: now)
    ways: dict[str, Counted] = {}

    def open_counted(_url: str, **settings: Any) -> JsonRpcLedger:
        way = ways[NAMES[len(ways)]] = Counted(RpcFace(ledger))
        return JsonRpcLedger("http://node.example", known=settings["known"], transport=way)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_ledger, "open_ledger", open_counted)
        patch.setattr(CustodyDesk, "answer", _noted(CustodyDesk.answer, ways))
        with consortium.opened(folder, clock=lambda: now) as network:
            yield Counting(network, ways, _granted(network, "ada"), _granted(network, "bea", 3))
    ledger.close()


def _noted(answer: Any, ways: dict[str, Counted]) -> Any:
    """Answering questions of custody, known as such while it lasts."""

    def noted(desk: CustodyDesk, *arguments: Any, **settings: Any) -> bytes:
        way = next(one for one in ways.values() if _way_of(desk) is one)
        way.answers += 1
        _answering.custody = True
        try:
            return answer(desk, *arguments, **settings)
        finally:
            _answering.custody = False

    return noted


def _way_of(desk: CustodyDesk) -> Any:
    return desk.desk.contracts.ledger.nodes._client._transport


def _granted(network: Consortium, patient: str, records: int = 1) -> bytes:
    [answer] = network.submit("north", f"{patient}.json", bundle(patient, observations=records))
    assert isinstance(answer, Accepted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anchoring, "BODY_RESOURCES", 1)
        network.settle()
    session = network.enrol(answer.vault, patient)
    consents.grant(
        network["north"].node,
        session,
        vault=answer.vault,
        grantee=Grantee.role_in(network[READER].node.organisation, "doctor"),
        categories=["observations"],
        purposes=["TREAT"],
        valid_seconds=3600,
    )
    network.settle()
    return answer.vault


def test_an_opening_waits_for_the_node_three_times(counting: Counting) -> None:
    counting.open()
    counting.open()
    made = counting.ways[READER].exchanges
    assert made["alone"] <= 3  # the head; the vault; who signed the list
    # Who signed each share; the batch, the author, and whose account that is.
    assert made["beside"] <= 5


def test_a_custodian_asks_the_node_three_times_a_question(counting: Counting) -> None:
    counting.open()
    counting.open()
    for way in counting.ways.values():
        # The head; who asks, with the head once more; whether they may.
        assert way.exchanges["custodian"] <= 3 * way.answers
    assert sum(way.answers for way in counting.ways.values()) == 3


def test_a_new_block_costs_the_reader_two_exchanges_more(counting: Counting) -> None:
    counting.open()
    counting.make_a_block()
    counting.open()
    # Its events, by the block's hash, for both followers at once, from a node that has it.
    assert counting.ways[READER].exchanges["alone"] <= 5


def test_a_new_block_costs_a_custodian_five_exchanges_more(counting: Counting) -> None:
    counting.open()
    counting.make_a_block()
    counting.open()
    for name, way in counting.ways.items():
        # Events as above; then code, proxies and genesis against what was accepted.
        assert way.exchanges["custodian"] <= 3 * way.answers + (5 if way.answers else 0), name


def test_records_are_asked_for_in_groups_and_opened_in_order(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = retrieve.retrieve
    node, session = counting.network[READER].node, counting.network.session(READER, "dr.lee")
    whole = read(node, session, vault=counting.larger)
    assert len(whole.resources) == 3
    node.database.write(lambda tx: copies.drop_vault(tx, counting.larger))
    monkeypatch.setattr(opening, "GROUP", 2)
    in_groups = read(node, session, vault=counting.larger)
    assert in_groups.resources == whole.resources
    assert len(in_groups.receipts) == 2 * len(whole.receipts)


def test_after_a_group_that_fails_none_is_asked_for(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, session = counting.network[READER].node, counting.network.session(READER, "dr.lee")
    node.database.write(lambda tx: copies.drop_vault(tx, counting.larger))
    gather, asked = reading.gather, []

    def failing(*arguments: Any, **settings: Any) -> reading.Gathered:
        asked.append(list(arguments[3]))
        if len(asked) == 2:
            raise Unavailable("the second group is not answered")
        return gather(*arguments, **settings)

    monkeypatch.setattr(opening, "GROUP", 1)
    monkeypatch.setattr(reading, "gather", failing)
    with pytest.raises(Unavailable, match="the second group"):
        retrieve.retrieve(node, session, vault=counting.larger)
    assert [len(group) for group in asked] == [1, 1]
