"""Consents written as FHIR resources: a create grants on chain, an end revokes on chain.

A consent is not changed: what it opens stands in the chain's commitment. So a new one is granted,
and an old one withdrawn by an update to ``inactive`` or a delete. All of it is signed by the
patient's own account key; nobody else's session can (docs/formats/consent.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simdes.errors import Gone, Invalid, Mismatch, NotFound, Unsupported
from simdes.exchange import consents
from simdes.exchange.consent_resources import wanted
from simdes.exchange.consents import Given
from simdes.exchange.interactions import finding, views
from simdes.exchange.interactions.changes import Became, Change, Changed, Method
from simdes.exchange.interactions.drafts import Sent, check_valid
from simdes.exchange.interactions.placing import require_scope
from simdes.exchange.interactions.planning import NEEDS
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.reference import parse_reference
from simdes.fhir.search.conditions import ALWAYS

TYPE: Final = "Consent"
_ENDED: Final = frozenset(("inactive", "rejected", "entered-in-error"))


def concerns(changes: Sequence[Change], *, alone: bool) -> bool:
    """Whether a request is about consents; one that is about other things besides is refused.

    ``alone``: nothing else is to be in the same commit; the chain has none with us.
    """
    about = [one for one in changes if one.type == TYPE]
    if about and (len(changes) > 1 or not alone):
        raise Invalid(
            "A Consent is granted on chain and can't be part of a transaction.",
            advice="Send each Consent by itself.",
        )
    return bool(about)


def apply(node: Node, asking: Asking, change: Change) -> Changed:
    """Carry out one change of a consent.

    Raises NotFound for a consent that is not the caller's to give, Unsupported for a change other
    than its end, and as `consents.grant` and `consents.revoke`.
    """
    if change.search is not None:
        raise Unsupported("A Consent is not searched for in a conditional interaction here.")
    if change.resource is not None:
        check_valid([Sent(change.resource)], node.profiles, are_binding=node.profiles_bind)
    if change.method is Method.CREATE:
        return _grant(node, asking, change)
    vault, given = _own(node, asking, change)
    _require_scope(asking, vault, change)
    version = 2 if given.state == "withdrawn" else 1
    if change.if_match is not None and not change.if_match.has(version):
        raise Mismatch("The version that If-Match names is not the present one.")
    if given.state == "withdrawn":
        if change.method is Method.DELETE:
            return Changed(Became.NOT_THERE, None)
        raise Gone("The consent was withdrawn already.")
    if change.method is not Method.DELETE:
        resource = change.resource
        if resource is None or resource.get("status") not in _ENDED:
            raise Unsupported(
                "A Consent can be ended, not changed.",
                advice="Send it with status inactive, and grant a new one.",
            )
    consents.revoke(node, asking.session, vault=vault, handle=given.handle)
    node.following.catch_up()
    found = views.read(node, asking, TYPE, change.id)
    became = Became.DELETED if change.method is Method.DELETE else Became.UPDATED
    return Changed(became, found)


def _grant(node: Node, asking: Asking, change: Change) -> Changed:
    resource = change.resource
    if resource is None:
        raise Invalid("The body must be a Consent.")
    vault = _vault(node, asking, resource.get("patient"))
    _require_scope(asking, vault, change)
    asked = wanted(resource, now_seconds=node.now_seconds())
    granted = consents.grant(
        node,
        asking.session,
        vault=vault,
        grantee=asked.grantee,
        categories=asked.categories,
        purposes=asked.purposes,
        valid_seconds=asked.until_seconds - node.now_seconds(),
        labels=asked.labels,
    )
    node.following.catch_up()
    found = views.read(node, asking, TYPE, granted.handle.hex())
    if found is None:
        raise NotFound("The consent was granted; it can be read in a moment.")
    return Changed(Became.CREATED, found)


def _vault(node: Node, asking: Asking, reference: object) -> bytes:
    """The caller's own vault that ``Consent.patient`` leads to."""
    literal = reference.get("reference") if isinstance(reference, dict) else None
    parsed = parse_reference(str(literal or ""))
    if parsed.type == "Patient":
        with node.database.read() as tx:
            found = finding.named(tx, asking, {("Patient", parsed.id)})
        tags = {one.vault for its in found.values() for one in its} & set(asking.facts.vaults)
        if len(tags) == 1:
            return tags.pop()
    raise Invalid(
        "A Consent is given by the patient it is about.",
        advice="Name your own Patient in Consent.patient.",
    )


def _require_scope(asking: Asking, vault: bytes, change: Change) -> None:
    """Raise Forbidden for an app that was allowed another vault alone, or only some consents."""
    needs = NEEDS[change.method]
    allowed = asking.rights.scopes(needs, TYPE)
    meets = {at: one.where == ALWAYS for at, one in enumerate(allowed)}
    require_scope(allowed, vault, meets, needs)


def _own(node: Node, asking: Asking, change: Change) -> tuple[bytes, Given]:
    """The caller's own consent; an app that was let at one vault finds none of another."""
    allowed = asking.rights.scopes(NEEDS[change.method], TYPE)
    for vault in asking.facts.vaults:
        if not any(one.vaults is None or vault in one.vaults for one in allowed):
            continue
        for given in consents.listed(node, vault):
            if given.handle.hex() == change.id:
                return vault, given
    raise NotFound("There is no such resource, or not for you.")
