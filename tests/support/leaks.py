"""Look for seeded values in whatever a system leaves behind, in the forms they may take there.

A value is looked for as UTF-8 and UTF-16 (either order), Base64 (both alphabets, at each of the
three alignments), hexadecimal, reversed, URL- and JSON-encoded; letters in either case where the
form allows. What is found is named by place and form, so that a failing test says where to look.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from simdes.ledger.network import CONTRACTS
from support.consortium import Consortium

SHORTEST = 8
"""Characters of a seeded value: shorter ones are found by chance."""

Places = Iterable[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A seeded value where it must not be, and the form in which it stands there."""

    place: str
    value: str
    form: str


class Scanner:
    """Finds a fixed set of values."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = tuple(values)
        short = [value for value in self.values if len(value) < SHORTEST]
        if short:
            raise ValueError(f"seeded values of under {SHORTEST} characters: {short}")
        self._exact = [(v, form, n) for v in self.values for form, n in _exact_forms(v)]
        folded = {n: (v, form, n) for v in self.values for form, n in _folded_forms(v)}
        self._folded = list(folded.values())

    def scan(self, places: Places) -> list[Leak]:
        """Every leak, sorted; empty when there is none."""
        found: set[Leak] = set()
        for place, content in places:
            folded = content.lower()
            for needles, haystack in ((self._exact, content), (self._folded, folded)):
                found |= {
                    Leak(place, value, form)
                    for value, form, needle in needles
                    if needle in haystack
                }
        return sorted(found)


def _exact_forms(value: str) -> Iterator[tuple[str, bytes]]:
    """Forms in which the case of letters carries data."""
    raw = value.encode()
    for alphabet, encode in (
        ("base64", base64.b64encode),
        ("base64url", base64.urlsafe_b64encode),
    ):
        for shift in range(3):
            yield f"{alphabet}+{shift}", _aligned(raw, shift, encode)


def _aligned(raw: bytes, shift: int, encode: Any) -> bytes:
    """What is constant of a value's Base64 when ``shift`` bytes stand before it, any after it."""
    text: bytes = encode(bytes(shift) + raw)
    first = -(-shift * 8 // 6)
    last = (shift + len(raw)) * 8 // 6
    return text[first:last]


def _folded_forms(value: str) -> Iterator[tuple[str, bytes]]:
    """Forms that are compared with ASCII letters in lower case, on both sides."""
    for variant in dict.fromkeys((value, value.lower(), value.upper())):
        forms = {
            "utf-8": variant.encode(),
            "utf-16-le": variant.encode("utf-16-le"),
            "utf-16-be": variant.encode("utf-16-be"),
            "hex": variant.encode().hex().encode(),
            "reversed": variant[::-1].encode(),
            "url": urllib.parse.quote(variant, safe="").encode(),
            "url+": urllib.parse.quote_plus(variant).encode(),
            "json": json.dumps(variant)[1:-1].encode(),
        }
        yield from ((form, needle.lower()) for form, needle in forms.items())


def values_of(found: Iterable[Leak]) -> set[str]:
    """The values that leaked, wherever and in whatever form."""
    return {leak.value for leak in found}


# Places ---------------------------------------------------------------------------------------


def files(folder: Path, *, but: Sequence[str] = ()) -> Iterator[tuple[str, bytes]]:
    """Every byte of every file below a folder, and their names."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield f"name {name}", name.encode()
        if path.is_file() and not any(path.name.startswith(left_out) for left_out in but):
            yield f"{folder.name}/{name}", path.read_bytes()


def rows(database: Path, *, but: Sequence[str] = ()) -> Iterator[tuple[str, bytes]]:
    """Every column of every row of an SQLite database, table by table."""
    with closing(sqlite3.connect(database)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            if table in but or table.startswith("sqlite_"):
                continue
            cursor = connection.execute(f"SELECT * FROM {table}")
            columns = [column[0] for column in cursor.description]
            kept = cursor.fetchall()
            for at, column in enumerate(columns):
                yield f"{table}.{column}", b"\n".join(_bytes(row[at]) for row in kept)


def without(database: Path, tables: Sequence[str], folder: Path) -> Path:
    """A compact copy of an SQLite database without some tables' rows."""
    copy = folder / f"without-{tables[0]}.sqlite"
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        for table in tables:
            target.execute(f"DELETE FROM {table}")
        target.commit()
        target.execute("VACUUM")
    return copy


def chain(network: Consortium, *, first: int | None = None) -> Iterator[tuple[str, bytes]]:
    """What a network wrote into every block from ``first``, with receipts and logs, over JSON-RPC.

    Others may write to the same chain: what goes to this network's contracts, or to and from its
    members' software, is this network's.
    """
    north = network["north"]
    addresses = north.node.contracts.addresses
    contracts = [f"0x{getattr(addresses, name).hex()}" for name in CONTRACTS]
    agents = [one.node.desk.keystore.lane_addresses() for one in network.members.values()]
    ours = {*contracts, *(f"0x{address.hex()}" for lanes in agents for address in lanes)}
    first = addresses.first_block if first is None else first
    url = ledger_url(network)

    def ask(method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = httpx.post(url, json=body, trust_env=False).json()
        return answer["result"]

    head = int(ask("eth_blockNumber"), 16)
    for number in range(first, head + 1):
        block = ask("eth_getBlockByNumber", hex(number), True)
        transactions = [t for t in block["transactions"] if {t["from"], t["to"]} & ours]
        yield f"block {number}", _decoded({**block, "transactions": transactions})
        for transaction in transactions:
            receipt = ask("eth_getTransactionReceipt", transaction["hash"])
            yield f"receipt in block {number}", _decoded(receipt)
    for start in range(first, head + 1, 1000):
        span = {
            "fromBlock": hex(start),
            "toBlock": hex(min(head, start + 999)),
            "address": contracts,
        }
        yield f"logs from block {start}", _decoded(ask("eth_getLogs", span))


def ledger_url(network: Consortium) -> str:
    """Where a network's ledger answers JSON-RPC: its node, or the endpoint of its journal."""
    url = network["north"].settings.ledger_url
    if not url.startswith("embedded:"):
        return url
    endpoint = Path(f"{url.removeprefix('embedded:')}.endpoint")
    return str(json.loads(endpoint.read_text())["url"])


def _decoded(value: Any) -> bytes:
    """A JSON value as text, and every hex string in it as the bytes it stands for."""
    found: list[bytes] = [json.dumps(value).encode()]
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            stack += one.values()
        elif isinstance(one, list):
            stack += one
        elif isinstance(one, str) and one.startswith("0x") and len(one) % 2 == 0:
            found.append(bytes.fromhex(one[2:]))
    return b"\n".join(found)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
