"""The owner of a wallet in a browser without a window: signs what a page shows, and signs in."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx
from starlette.applications import Starlette

from adapters.ethereum import Account
from simdes.app import ADMINISTRATOR
from simdes.crypto.keys import SigningKey
from simdes.exchange import credentials, enrolment, moving, recovering, wallet_sign_ins, wallets
from simdes.exchange.credentials import Client
from simdes.exchange.node import Node
from simdes.exchange.signin import Session
from simdes.index import authorization, vaults
from support.consortium import Clock, Consortium
from support.pages import Visitor


def free_vault(node: Node) -> bytes:
    """A vault that no patient controls yet, with a Patient; what was joined to another has none."""
    with node.database.read() as tx:
        return next(
            one.tag
            for one in vaults.page(tx)
            if one.control is None and authorization.patient_id(tx, one.tag) is not None
        )


def enrol(
    network: Consortium, vault: bytes, key: SigningKey, *, attester: str = "south", **known: str
) -> None:
    """Let the wallet with this key take a vault of north, which another organisation attests.

    ``known``: ``user`` and ``display`` of who signs in with it at north.
    """
    north = network["north"].node
    enrolment.trust_checks(
        network[attester].node,
        network.session(attester, ADMINISTRATOR),
        checked_by=north.organisation,
        valid_seconds=86_400,
    )
    administrator = network.session("north", ADMINISTRATOR)
    request = wallets.enrol(north, administrator, key.address, vault=vault, **known)
    wallets.send(north, request, key.sign(request.data.digest))


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody with a wallet, whose key no gateway has."""

    key: SigningKey = field(default_factory=lambda: SigningKey.generate(secrets.token_bytes))

    @property
    def address(self) -> str:
        """As a form takes it."""
        return f"0x{self.key.address.hex()}"

    def sign(self, document: dict[str, Any]) -> str:
        """``eth_signTypedData_v4``, by a library that wallets use."""
        signed = Account.sign_typed_data(self.key.to_bytes(), full_message=document)
        return f"0x{signed.signature.hex()}"

    def asked(self, page: str) -> dict[str, Any]:
        """The typed data that a page hands to the wallet."""
        found = re.search('data-wallet="([^"]*)"', page)
        assert found, page
        document: dict[str, Any] = json.loads(unescape(found.group(1)))
        return document

    def agree(self, visitor: Visitor, answer: httpx.Response) -> httpx.Response:
        """Send the form of a page that asks for the wallet's signature, with it."""
        page = answer.text
        [form] = [one for one in page.split("<form ") if 'name="signature"' in one]
        action = re.search('action="([^"]+)"', form)
        assert action, page
        hidden = re.findall('<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        fields = {unescape(name): unescape(value) for name, value in hidden}
        del fields["token"]
        return visitor.post(action.group(1), fields | {"signature": self.sign(self.asked(page))})

    def take_over(self, node: Node, session: Session, clock: Clock) -> None:
        """Move a hosted account to this wallet, and let the delay pass."""
        data = moving.prepare(node, session, self.key.address)
        deadline = data.values[3]
        assert isinstance(deadline, int)
        moving.move(
            node,
            session,
            self.key.address,
            deadline=deadline,
            signature=self.key.sign(data.digest),
        )
        clock.ahead_seconds += node.contracts.accounts.delay_seconds() + 1
        assert recovering.tend(node) == 1

    def agree_to(self, node: Node, request: wallets.Request) -> None:
        """Sign a request, which its organisation relays."""
        wallets.send(node, request, self.key.sign(request.data.digest))

    def cookie(self, node: Node) -> str:
        """Of a session that the wallet let read."""
        asking = wallet_sign_ins.prepare(node, self.key.address, binding="a browser")
        admitted = wallet_sign_ins.sign_in(
            node,
            asking.held,
            self.key.sign(asking.data.digest),
            binding="a browser",
            client=Client("127.0.0.1", "a browser"),
        )
        return admitted.cookie

    def session(self, node: Node) -> Session:
        """A session that the wallet let read."""
        visit = credentials.resume(node, self.cookie(node))
        assert isinstance(visit, credentials.Visit)
        return visit.session

    def sign_in(self, node: Node, app: Starlette) -> Visitor:
        """A browser that is signed in by the wallet."""
        visitor = Visitor(app)
        visitor.plant("session", self.cookie(node))
        return visitor
