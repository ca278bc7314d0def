"""eth-account and web3.py for tests, as they come but for one side effect.

They import py_ecc, which raises Python's recursion limit to 100,000: native code that relies on the
limit (msgspec's JSON decoder) then overflows the stack on deeply nested input instead of refusing
it. Whatever else runs in this process must not be affected.
"""

from __future__ import annotations

import sys

_limit = sys.getrecursionlimit()

from eth_account import Account  # noqa: E402
from web3 import HTTPProvider, Web3  # noqa: E402
from web3.exceptions import (  # noqa: E402
    ContractCustomError,
    TransactionNotFound,
    Web3RPCError,
)

sys.setrecursionlimit(_limit)

__all__ = [
    "Account",
    "ContractCustomError",
    "HTTPProvider",
    "TransactionNotFound",
    "Web3",
    "Web3RPCError",
]
