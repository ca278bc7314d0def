"""An insurer is lost and restored: the others go on reading what it publishes."""

from __future__ import annotations

from pathlib import Path

from simdes.crypto.oprf_forms import Key
from simdes.exchange.claims import fingerprint_keys, fingerprints
from simdes.index import fingerprints as rows
from support import consortium
from support.backups import staged
from support.consortium import Consortium
from support.insured import make_key

NAMES = ("north", "south", "east", "dale")


def accepted(network: Consortium, key: Key, fingerprint: bytes) -> None:
    """A fingerprint of an accepted claim at east, to be published."""
    line = rows.LineRow(
        function=key.public,
        fingerprint=fingerprint,
        kind="service",
        matched_by="identifier",
        detail="",
        claim=fingerprint.hex(),
        line=1,
        day="2026-03-01",
        coordinated=0,
        accepted=1,
    )
    network["east"].node.database.write(lambda tx: rows.add_lines(tx, [line]))


def test_an_insurer_that_was_restored_repeats_no_number_and_is_read_on(tmp_path: Path) -> None:
    template = tmp_path / "template"
    consortium.found(template, names=NAMES, stores=dict.fromkeys(NAMES, "file:blocks"))
    stage = staged(template, tmp_path, {}, name="east")
    with consortium.opened(stage.folder) as network:
        key = make_key(network, custodians=("north", "south"))
        for insurer in ("east", "dale"):
            fingerprint_keys.adopt(network[insurer].node, key.encode())
        fingerprints.publish(network["east"].node)
    stage.back_up()
    with consortium.opened(stage.folder) as network:
        accepted(network, key, b"lost" * 4)
        lost = fingerprints.publish(network["east"].node)
        assert fingerprints.collect(network["dale"].node).batches == 2

    stage.lose()
    stage.restore()
    with consortium.opened(stage.folder) as network:
        accepted(network, key, b"anew" * 4)
        assert fingerprints.publish(network["east"].node) > lost
        dale = network["dale"].node
        assert fingerprints.collect(dale).batches == 1
        with dale.database.read() as tx:
            found = rows.seen(tx, key.public, [b"lost" * 4, b"anew" * 4])
        assert len(found) == 2, "what was read before stays, what came since is read, too"
