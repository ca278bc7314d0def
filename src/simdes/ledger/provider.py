"""The embedded ledger as a provider for web3.py (https://web3py.readthedocs.io/).

    w3 = Web3(EmbeddedProvider(ledger))

Everything then works as over HTTP: contracts, signed raw transactions, receipts, events.
"""

from __future__ import annotations

import sys
from typing import Any

# web3.py raises Python's recursion limit a hundredfold when it is imported; native decoders, of
# FHIR's JSON for one, would then overflow the stack on deeply nested input instead of refusing it.
_limit = sys.getrecursionlimit()

from web3.providers.base import JSONBaseProvider  # noqa: E402
from web3.types import RPCEndpoint, RPCResponse  # noqa: E402

sys.setrecursionlimit(_limit)

from simdes.ledger.embedded import EmbeddedLedger  # noqa: E402
from simdes.ledger.rpc import RpcFace  # noqa: E402


class EmbeddedProvider(JSONBaseProvider):
    """Answers web3.py from this process."""

    def __init__(self, ledger: EmbeddedLedger, **settings: Any) -> None:
        """`settings` are web3.py's own for any provider."""
        super().__init__(**settings)
        self._face = RpcFace(ledger)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one request."""
        return self.decode_rpc_response(self._face.reply(self.encode_rpc_request(method, params)))
