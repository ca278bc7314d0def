"""The embedded ledger as a provider for web3.py (https://web3py.readthedocs.io/).

    w3 = Web3(EmbeddedProvider(ledger))

Everything then works as over HTTP: contracts, signed raw transactions, receipts, events.
"""

from __future__ import annotations

from typing import Any

from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from simdes.ledger.embedded import EmbeddedLedger
from simdes.ledger.rpc import RpcFace


class EmbeddedProvider(JSONBaseProvider):
    """Answers web3.py from this process."""

    def __init__(self, ledger: EmbeddedLedger, **settings: Any) -> None:
        """`settings` are web3.py's own for any provider."""
        super().__init__(**settings)
        self._face = RpcFace(ledger)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one request."""
        return self.decode_rpc_response(self._face.reply(self.encode_rpc_request(method, params)))
