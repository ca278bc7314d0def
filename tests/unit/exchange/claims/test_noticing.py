"""Signals beside a claim that came by the network: what is compared, and when it is published."""

from __future__ import annotations

from simdes.claims.signals import Sign
from simdes.exchange.claims import deciding, fingerprint_keys, noticing
from simdes.index import fingerprints as rows
from support.claim_scene import SYSTEM, Visit
from support.insured import make_key


def test_a_claim_is_compared_when_looked_at_and_published_once_approved(visit: Visit) -> None:
    east = visit.network["east"].node
    visit.enrol()
    visit.work()
    visit.work()
    claim = visit.disclose()
    visit.work()
    case = visit.shown(claim)
    assert noticing.notice(east, case) == ()
    key = make_key(visit.network, custodians=("north", "south"), persons=[SYSTEM])
    fingerprint_keys.adopt(east, key.encode())
    assert noticing.notice(east, case) == ()
    with east.database.read() as tx:
        lines = rows.of_claim(tx, key.public, claim.hex())
        assert {(one.kind, one.line, one.accepted) for one in lines} == {
            ("service", 1, 0),
            ("service", 2, 0),
        }
        assert rows.waiting(tx, key.public, most=9) == []
    other = visit.network["south"].node.organisation
    batch = rows.Batch(1, lines[0].fingerprint)
    east.database.write(lambda tx: rows.see(tx, key.public, other, batch, size=16))
    [sign] = noticing.notice(east, case)
    assert (sign.sign, sign.line, sign.other) == (Sign.DUPLICATE, lines[0].line, other)

    deciding.decide(east, visit.clerk(), visit.shown(claim))
    noticing.notice(east, visit.shown(claim))
    with east.database.read() as tx:
        assert len(rows.waiting(tx, key.public, most=9)) == 2
