"""``$submit-legacy`` in somebody's name: what `exchange.legacy` does, as far as their app may."""

from __future__ import annotations

from simdes.access.rights import SCOPE, Interaction
from simdes.errors import Forbidden
from simdes.exchange.interactions.offered import written_types
from simdes.exchange.legacy import Legacy, submit_legacy
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.search.conditions import ALWAYS


def submit(
    node: Node, asking: Asking, data: bytes, *, kind: str, name: str, dry_run: bool
) -> Legacy:
    """Map and store any input. Raises Forbidden unless the role, and the app, may write all types.

    A message says anything about anybody, so an app that may write only some types, or only one
    patient's, may send none.
    """
    for type_ in written_types() - {"Consent"}:
        if not any(
            one.vaults is None and one.where == ALWAYS
            for one in asking.rights.scopes(Interaction.CREATE, type_)
        ):
            raise Forbidden(
                "The app was not allowed to create every type, as a message may need.",
                advice="Sign in again and allow the app user/*.c or system/*.c.",
                reason=SCOPE,
            )
    return submit_legacy(
        node,
        asking.session,
        data,
        kind=kind,
        name=name,
        dry_run=dry_run,
        registers=asking.rights.registers,
    )
