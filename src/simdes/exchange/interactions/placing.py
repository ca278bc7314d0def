"""Into which vault a resource goes that came over the API, and whether the caller may put it there.

What is about a patient lives in that patient's vault, found by its subject; a Patient's own vault
is found by its identifiers, or begun. What is about nobody lives in the organisation's own vault,
unless it comes in one transaction with a single patient's records: then it goes with them, so that
their vault is whole without others (docs/decisions/0016-whose-records.md). What is its author's
alone (a Subscription) lives in the organisation's own vault, whoever the author is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simdes.access.categories import Role
from simdes.access.rights import OWNED, SCOPE, Allowed, Interaction
from simdes.access.vaults import vault_key
from simdes.errors import Conflict, Forbidden, Invalid
from simdes.exchange.node import Node
from simdes.exchange.placing import Home, begin
from simdes.exchange.rights import Asking
from simdes.exchange.subjects import identifiers_of, items
from simdes.fhir.reference import contained, parse_reference
from simdes.fhir.resource import patient_references, subject_reference
from simdes.index import search, vaults
from simdes.index.entries import Entry
from simdes.index.seeing import SHARED, vaults_of
from simdes.index.transaction import Transaction
from simdes.index.vaults import Identifier, Vault
from simdes.ledger.consents import Reason

Resource = Mapping[str, Any]
Name = tuple[str, str]
"""Type and id."""


class Placing:
    """Finds vaults for the resources of one request, in one transaction."""

    def __init__(self, node: Node, tx: Transaction, asking: Asking) -> None:
        self._node = node
        self._tx = tx
        self._asking = asking
        self._patients: dict[str, bytes] = {}
        self._homes: dict[bytes, Home] = {}
        self._new: dict[bytes, Vault] = {}

    def patients(self, drafts: Sequence[tuple[Resource, Entry | None]]) -> None:
        """Place the Patients first; ``drafts`` are resources with what stands under their ids."""
        for resource, current in drafts:
            if resource["resourceType"] == "Patient":
                tag = self._of_patient(resource, current)
                self._patients[f"Patient/{resource['id']}"] = tag

    def place(
        self, resource: Resource, current: Entry | None, *, within: bytes | None = None
    ) -> Home:
        """The vault of one resource: ``within`` where this server knows it. Raises Invalid where
        its patient is not known here, Conflict where it would move from one patient to another,
        Forbidden where the caller may not."""
        if resource["resourceType"] in OWNED:
            return self.home(self._asking.facts.home)
        tag = within or self._tag(resource)
        if current is not None:
            if tag is not None and tag != current.vault:
                raise Conflict(
                    "A resource can't move from one patient to another.",
                    advice="Delete it here and create it there.",
                )
            tag = current.vault
        if tag is None:
            tag = self._default(str(resource["resourceType"]))
        self._require(tag)
        return self.home(tag)

    def home(self, tag: bytes) -> Home:
        """A vault with its local key. Raises Conflict where it was erased here."""
        if tag not in self._homes:
            row = self._new.get(tag) or vaults.get(self._tx, tag)
            if row is None or row.is_closed:
                raise Conflict("The patient's records were erased here.")
            self._homes[tag] = Home(tag, vault_key(self._node.desk.keystore, row))
        return self._homes[tag]

    # How --------------------------------------------------------------------------------------

    def _tag(self, resource: Resource) -> bytes | None:
        type_ = resource["resourceType"]
        if type_ == "Patient":
            return self._patients[f"Patient/{resource['id']}"]
        if type_ == "Binary":
            context = resource.get("securityContext")
            literal = context.get("reference") if isinstance(context, Mapping) else None
            return self._vault_of(literal) if isinstance(literal, str) else None
        subject = subject_reference(dict(resource))
        if subject is None:
            return self._of_others(resource)
        literal = subject.get("reference")
        if isinstance(literal, str):
            return self._by_literal(resource, literal)
        identifier = subject.get("identifier")
        return self._by_identifiers([identifier]) if isinstance(identifier, Mapping) else None

    def _of_others(self, resource: Resource) -> bytes | None:
        """The vault of the one patient whom a resource names elsewhere than as its subject."""
        literals = {one["reference"] for one in persons(resource)}
        tags = {self._vault_of(one) for one in literals}
        return tags.pop() if len(tags) == 1 else None

    def _by_literal(self, resource: Resource, literal: str) -> bytes | None:
        parsed = parse_reference(literal)
        if parsed.kind == "fragment":
            inside = contained(dict(resource), parsed.id) or {}
            if inside.get("resourceType") != "Patient":
                return None
            return self._by_identifiers(list(items(inside, "identifier")))
        return self._vault_of(literal)

    def _vault_of(self, literal: str) -> bytes | None:
        parsed = parse_reference(literal)
        if parsed.type and parsed.type != "Patient":
            found = self._visible(parsed.type, parsed.id)
            return found.vault if found is not None else None
        name = parsed.versionless
        if name in self._patients:
            return self._patients[name]
        found = self._visible("Patient", parsed.id) if parsed.kind == "relative" else None
        if found is None:
            raise Invalid(
                "The patient that the resource is about is not known here.",
                advice="Create the Patient first, or send both in one transaction.",
            )
        self._patients[name] = found.vault
        return found.vault

    def _visible(self, type_: str, logical_id: str) -> Entry | None:
        found = search.get(self._tx, self._asking.rights.unscoped(type_), type_, logical_id)
        return next((one for one in found if not one.deleted), None)

    def _by_identifiers(self, identifiers: Sequence[Mapping[str, Any]]) -> bytes:
        named = self._identifiers({"identifier": list(identifiers)})
        tags = set(vaults.find_many(self._tx, named).values()) if named else set()
        reached = self._reached()
        if reached is not None:
            tags &= reached  # of whom the caller sees nothing, they do not learn that they exist
        if len(tags) != 1:
            raise Invalid("The identifier of the patient leads to no patient here, or to several.")
        return tags.pop()

    def _of_patient(self, resource: Resource, current: Entry | None) -> bytes:
        named = self._identifiers(resource)
        known = vaults.find_many(self._tx, named) if named else {}
        own = current.vault if current is not None else None
        if self._is_let_at_some() and any(known.get(one, b"") != own for one in named):
            raise Forbidden(
                "The app may not say by which identifiers a patient is known.", reason=SCOPE
            )
        tags = set(known.values()) | ({current.vault} if current is not None else set())
        if len(tags) > 1:
            raise Conflict(
                "The Patient's identifiers belong to different patients here.",
                advice="Find out who the patient is; merge the two, or correct the identifiers.",
            )
        links = [one for one in named if one not in known]
        if tags and links and not self._asking.rights.registers:
            raise Forbidden(
                "This account may not say by which further identifiers a patient is known.",
                advice="Ask patient administration (an administrator) to add the identifier.",
                reason=Reason.WRONG_ROLE.name,
            )
        tag = tags.pop() if tags else self._begin()
        if links:
            vaults.link_many(self._tx, dict.fromkeys(links, tag))
            found = vaults.find_many(self._tx, links)
            if any(found.get(one) != tag for one in links):
                raise Conflict("Another request made the same patient at the same moment.")
        return tag

    def _identifiers(self, resource: Resource) -> list[Identifier]:
        """Those that say who assigned them: a bare number may be anybody's."""
        found = [one for one in identifiers_of(resource, "") if one.system]
        if any(one.is_reserved for one in found):
            raise Invalid("An identifier of an organisation is no patient's.")
        return found

    def _reached(self) -> frozenset[bytes] | None:
        """The only patients' vaults of which the caller may see something; None: all."""
        return vaults_of(self._asking.rights.unscoped("Patient"), ("Patient",))

    def _is_let_at_some(self) -> bool:
        """Whether the caller's app was let at some patients alone."""
        scopes = self._asking.rights.unscoped("Patient").scopes["Patient"]
        return all(one.vaults is not None for one in scopes)

    def _begin(self) -> bytes:
        row = begin(self._node)
        vaults.add_many(self._tx, [row])
        self._new[row.tag] = row
        return row.tag

    def _default(self, type_: str) -> bytes:
        """Where what names no patient goes."""
        several = set(self._patients.values())
        if type_ in SHARED and len(several) == 1:
            return next(iter(several))
        if self._asking.rights.role is not Role.PATIENT:
            return self._asking.facts.home
        reached = self._reached() or frozenset()
        own = [one for one in self._asking.facts.vaults if one in reached]
        if len(own) != 1:
            raise Invalid("Say whom the resource is about.", advice="Name the patient in it.")
        return own[0]

    def _require(self, tag: bytes) -> None:
        """Raise Forbidden unless the caller may write into this vault at all."""
        allowed = self._asking.rights.vaults
        if allowed is not None and tag not in allowed:
            raise Forbidden("This account may write into its own records alone.")


_ABOUT = ("patient", "subject", "for", "individual")


def persons(resource: Resource) -> list[Mapping[str, Any]]:
    """The references to Patients by which a resource without a subject is still somebody's.

    Those of the compartment's definition, and elements that say whom it is about in types that
    the definition leaves out (Device, Contract, GuidanceResponse, Task).
    """
    named = [resource.get(name) for name in _ABOUT]
    found = [
        one for one in (*named, *patient_references(dict(resource))) if isinstance(one, Mapping)
    ]
    return [one for one in found if str(one.get("reference", "")).startswith("Patient/")]


def require_scope(
    allowed: Sequence[Allowed], tag: bytes, meets: Mapping[int, bool], interaction: Interaction
) -> None:
    """Raise Forbidden unless some scope lets the client write this, here.

    ``meets`` says for each scope, by its place, whether the resource meets its condition.
    """
    for at, one in enumerate(allowed):
        if (one.vaults is None or tag in one.vaults) and meets[at]:
            return
    raise Forbidden(
        f"The app was not allowed to {interaction.name.lower()} this resource.",
        advice="Sign in again and allow the app to do this.",
        reason=SCOPE,
    )
