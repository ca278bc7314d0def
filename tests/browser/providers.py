"""A browser's wallet (https://eips.ethereum.org/EIPS/eip-1193): a script with real signatures.

They are made by a key that only the test has, over the typed data that a page hands to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Page

from adapters.ethereum import Account
from simdes.crypto.keys import SigningKey

PROVIDER = """window.ethereum = { request: async ({ method, params }) => {
  const answer = await window.walletAnswers(method, params || []);
  if (answer && answer.code) throw Object.assign(new Error("refused"), answer);
  return answer;
} };"""


@dataclass(slots=True)
class Wallet:
    """A wallet with one key; what it was asked; a chain that it is in, and whether it agrees."""

    key: SigningKey
    chain: int
    agrees: bool = True
    asked: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, method: str, params: list[Any]) -> Any:
        if method == "eth_chainId":
            return hex(self.chain)
        if method == "eth_requestAccounts":
            return [f"0x{self.key.address.hex()}"]
        assert method == "eth_signTypedData_v4" and params[0] == f"0x{self.key.address.hex()}"
        self.asked.append(json.loads(params[1]))
        if not self.agrees:
            return {"code": 4001}
        signed = Account.sign_typed_data(self.key.to_bytes(), full_message=self.asked[-1])
        return f"0x{signed.signature.hex()}"

    def into(self, page: Page) -> None:
        def answer(method: str, given: list[Any]) -> Any:
            return self.answer(method, given)

        page.expose_function("walletAnswers", answer)
        page.add_init_script(PROVIDER)
