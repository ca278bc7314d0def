"""Documents of studies that this organisation has come to know.

The ledger has a study's id alone, which commits to every word of its document. Whoever registers,
approves, joins or looks at a study here brings its document along, so it is kept and shown by name
from then on; of others, people are told to ask the sponsor. A document is public and compared with
the ledger, so nobody can plant another.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from simdes.exchange.node import Node
from simdes.exchange.research.studies import Document, id_of, read_document
from simdes.index import studies as rows


def keep(node: Node, document: Document) -> None:
    """Keep the document of a study that the ledger has; nothing is kept of any other."""
    study = id_of(node, document)
    if node.contracts.studies.study(study) is None or known(node, [study]):
        return
    content = msgspec.json.encode(document)
    node.database.write(lambda tx: rows.keep_document(tx, study, content))


def known(node: Node, studies: Collection[bytes]) -> dict[bytes, Document]:
    """The documents of these studies (ids), of those that are known here."""
    with node.database.read() as tx:
        found = rows.documents(tx, studies)
    return {study: read_document(content) for study, content in found.items()}
