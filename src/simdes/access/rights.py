"""The one decision: what a caller may see, and which interactions they may use on which types.

Every path of every face (read, search, chain, ``_has``, includes, totals, history, ``$everything``,
bulk, subscriptions, writes) takes a `Rights` made here; nothing else decides. It is pure: who asks,
what their client was allowed (SMART scopes), what consents opened, in; values that become SQL, out.

A caller sees an entry when a *ground* holds (their organisation wrote it and their role works with
it; it is their own vault; a consent opened a copy) **and** their client's scopes let that type out.
Consent is contract state: the grounds given in are those that `policy.decide` found to hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from simdes.access.categories import (
    CATEGORY_OF_TYPE,
    OWN_PURPOSES,
    STAFF,
    Category,
    Purpose,
    Role,
    mask,
)
from simdes.access.write_roles import (
    PRESCRIBING,
    PUBLIC_TYPES,
    REGISTRARS,
    deletes,
    keeps,
    writes,
)
from simdes.errors import Forbidden
from simdes.fhir.search.conditions import (
    ALWAYS,
    All,
    Condition,
    Kind,
    Match,
    Slot,
    Token,
    TokenTest,
    Valued,
)
from simdes.index.visible import OWN, PATIENT, Ground, Scope, Visible
from simdes.ledger.consents import Reason

EVERY_CATEGORY: Final = mask(Category)
_WORKS_WITH_OWN: Final = STAFF | {Role.AGENT}
"""Whose work is with what their own organisation wrote."""

PURPOSES: Final[Mapping[Role, tuple[Purpose, ...]]] = {
    Role.PATIENT: (Purpose.PATRQT,),
    Role.DOCTOR: (Purpose.TREAT, Purpose.HPAYMT, Purpose.HOPERAT, Purpose.ETREAT),
    Role.NURSE: (Purpose.TREAT, Purpose.HPAYMT, Purpose.HOPERAT, Purpose.ETREAT),
    Role.PHARMACIST: (Purpose.TREAT, Purpose.HPAYMT, Purpose.HOPERAT),
    Role.INSURER: (Purpose.HPAYMT, Purpose.HOPERAT),
    Role.RESEARCHER: (Purpose.HRESCH,),
    Role.ADMINISTRATOR: (Purpose.HOPERAT,),
    Role.AGENT: (Purpose.HOPERAT, Purpose.TREAT, Purpose.HPAYMT, Purpose.HRESCH),
}
"""For which purposes a role may ask; the first is meant where a request names none."""


OWNED: Final = frozenset({"Subscription"})
"""Types whose resources are their author's alone: the account's, and the app's that it used."""

SCOPE: Final = "SCOPE"
"""Why an app is refused what its person may do, as the audit trail names it."""

_OWNER: Final = Slot("Subscription.owner", Kind.TOKEN)


class Interaction(StrEnum):
    """What is done to a type; the letters are those of SMART's scopes."""

    CREATE = "c"
    READ = "r"
    UPDATE = "u"
    DELETE = "d"
    SEARCH = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a scope lets a client do with one type: how, in which vaults, under which condition."""

    interactions: frozenset[Interaction]
    vaults: tuple[bytes, ...] | None = None
    where: Condition = ALWAYS


EVERYTHING: Final = (Allowed(interactions=frozenset(Interaction)),)
"""What a person's own session may do, without a client between."""


class Scopes(Mapping[str, tuple[Allowed, ...]]):
    """What a client was allowed, by type; made once for a scope string and asked often."""

    def __init__(self, by_type: Mapping[str, tuple[Allowed, ...]]) -> None:
        self._by_type = dict(by_type)
        self._visible: dict[Interaction, Mapping[str, tuple[Scope, ...]]] = {}

    def __getitem__(self, type_: str) -> tuple[Allowed, ...]:
        return self._by_type[type_]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_type)

    def __len__(self) -> int:
        return len(self._by_type)

    def visible(self, interaction: Interaction) -> Mapping[str, tuple[Scope, ...]]:
        """The scopes by type that hold for an interaction; types without one are left out."""
        if interaction not in self._visible:
            found = {
                type_: tuple(
                    Scope(vaults=one.vaults, where=one.where)
                    for one in its
                    if interaction in one.interactions
                )
                for type_, its in self._by_type.items()
            }
            self._visible[interaction] = {type_: its for type_, its in found.items() if its}
        return self._visible[interaction]


_NO_CLIENT: Final = Scopes(dict.fromkeys(CATEGORY_OF_TYPE, EVERYTHING))
"""A person's own session: no client stands between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the decision is made from.

    ``vaults`` are controlled by the account; ``opened`` are the grounds of copies that a standing
    consent or emergency opened for this account and purpose; ``home`` is the organisation's own
    vault; ``scopes`` by type, None: no client stands between. ``account`` and ``client`` say whose
    `OWNED` resources are seen; ``client`` None: those that any app made for the account.
    ``nurses_prescribe``: the organisation lets its nurses write prescriptions.
    """

    role: Role
    purpose: Purpose
    home: bytes
    account: bytes = b""
    client: str | None = None
    vaults: tuple[bytes, ...] = ()
    opened: tuple[Ground, ...] = ()
    scopes: Scopes | None = None
    nurses_prescribe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a caller may do. ``reading`` is for reads by id, ``searching`` for everything else.

    ``vaults`` are those that may be written into; None: every patient's. ``owner`` is the condition
    of `OWNED` resources that are the caller's, ``home`` the organisation's own vault.
    """

    role: Role
    purpose: Purpose
    reading: Visible
    searching: Visible
    writable: Mapping[Interaction, frozenset[str]]
    allowed: Scopes = field(repr=False)
    vaults: tuple[bytes, ...] | None
    owner: Condition
    home: bytes

    def require(self, interaction: Interaction, type_: str) -> None:
        """Raise Forbidden, saying which of role and scope stands in the way."""
        if interaction in self.writable and type_ not in self.writable[interaction]:
            raise Forbidden(
                f"The role {self.role.name.lower()} may not {_WORDS[interaction]} {type_}.",
                advice="Use an account with the role that this needs.",
                reason=Reason.WRONG_ROLE.name,
            )
        if not self.scopes(interaction, type_):
            raise Forbidden(
                f"The app was not allowed to {_WORDS[interaction]} {type_}.",
                advice="Sign in again and allow the app to do this.",
                reason=SCOPE,
            )

    def scopes(self, interaction: Interaction, type_: str) -> tuple[Allowed, ...]:
        """Those of the client's scopes that let it do this."""
        return tuple(one for one in self.allowed.get(type_, ()) if interaction in one.interactions)

    def unscoped(self, *types: str) -> Visible:
        """What the caller themselves may see of these types, whatever their client was allowed.

        For finding out where something belongs; never for showing it. A client that was let at some
        patients alone finds nothing of others: whether it is there would be told by the answer.
        """
        scopes = {type_: (Scope(vaults=self._within(type_)),) for type_ in types}
        return Visible(grounds=self.searching.grounds, scopes=_owned(scopes, self.owner))

    def _within(self, type_: str) -> tuple[bytes, ...] | None:
        if type_ in PUBLIC_TYPES or any(one.vaults is None for one in self.allowed.get(type_, ())):
            return None
        every = [one.vaults for its in self.allowed.values() for one in its]
        inside = {tag for vaults in every if vaults is not None for tag in vaults}
        return (*sorted(inside), self.home) if inside else None

    def may_choose_id(self, type_: str) -> bool:
        """Whether the caller may create a resource under an id of their choice.

        Only who would see whatever has the id already: to others the answer would tell of it, and
        what they write would stand before it.
        """
        seen = type_ in PUBLIC_TYPES or Ground(
            handle=OWN, vaults=None, categories=EVERY_CATEGORY
        ) in (self.searching.grounds)
        scopes = self.scopes(Interaction.UPDATE, type_)
        free = any(one.vaults is None and one.where == ALWAYS for one in scopes)
        return seen and free and self.role is not Role.PATIENT and type_ not in OWNED

    @property
    def registers(self) -> bool:
        """Whether the caller may merge patients and give known ones further identifiers."""
        scopes = self.scopes(Interaction.UPDATE, "Patient")
        free = any(one.vaults is None and one.where == ALWAYS for one in scopes)
        return self.role in REGISTRARS and free

    def visible(self, interaction: Interaction) -> Visible:
        """What may be seen by a read (by id) or a search; of writes, what may be changed."""
        if interaction is Interaction.READ:
            return self.reading
        if interaction is Interaction.SEARCH:
            return self.searching
        return Visible(
            grounds=tuple(one for one in self.searching.grounds if one.handle == OWN),
            scopes=_owned(self.allowed.visible(interaction), self.owner),
        )


_WORDS: Final = {
    Interaction.CREATE: "create",
    Interaction.READ: "read",
    Interaction.UPDATE: "update",
    Interaction.DELETE: "delete",
    Interaction.SEARCH: "search",
}


def decide(facts: Facts) -> Rights:
    """What these facts allow. Raises Forbidden for a purpose that the role may not ask for."""
    if facts.purpose not in PURPOSES.get(facts.role, ()):
        raise Forbidden(
            f"The role {facts.role.name.lower()} may not ask for the purpose {facts.purpose.name}.",
            reason=Reason.PURPOSE.name,
        )
    allowed = _NO_CLIENT if facts.scopes is None else facts.scopes
    grounds = tuple(_grounds(facts))
    owner = _owner(facts)
    more = PRESCRIBING if facts.role is Role.NURSE and facts.nurses_prescribe else frozenset()
    return Rights(
        role=facts.role,
        purpose=facts.purpose,
        reading=Visible(grounds=grounds, scopes=_owned(allowed.visible(Interaction.READ), owner)),
        searching=Visible(
            grounds=grounds, scopes=_owned(allowed.visible(Interaction.SEARCH), owner)
        ),
        writable={
            Interaction.CREATE: writes(facts.role) | more,
            Interaction.UPDATE: writes(facts.role) | more,
            Interaction.DELETE: deletes(facts.role) | more,
        },
        allowed=allowed,
        vaults=_may_write_into(facts),
        owner=owner,
        home=facts.home,
    )


def owner_value(account: bytes, client: str) -> Valued:
    """What an `OWNED` resource is found by, so that its owner alone finds it."""
    return Valued(_OWNER, Token(_system(account), client))


def _owner(facts: Facts) -> Condition:
    return Match(_OWNER, (TokenTest(_system(facts.account), facts.client),))


def _system(account: bytes) -> str:
    return f"urn:simdes:account:{account.hex()}"


def _owned(
    scopes: Mapping[str, tuple[Scope, ...]], owner: Condition
) -> Mapping[str, tuple[Scope, ...]]:
    """The same scopes, those for `OWNED` types narrowed to the owner's; they are no patient's."""
    narrowed = {
        type_: tuple(
            Scope(where=owner if one.where == ALWAYS else All((one.where, owner)))
            for one in scopes[type_]
        )
        for type_ in OWNED & scopes.keys()
    }
    return {**scopes, **narrowed}


def _grounds(facts: Facts) -> Iterable[Ground]:
    if facts.role in _WORKS_WITH_OWN and facts.purpose in OWN_PURPOSES:
        yield Ground(handle=OWN, vaults=None, categories=EVERY_CATEGORY)
    if facts.role is Role.PATIENT and facts.vaults:
        yield Ground(handle=OWN, vaults=facts.vaults, categories=EVERY_CATEGORY)
        yield Ground(handle=PATIENT, vaults=facts.vaults, categories=EVERY_CATEGORY)
    yield Ground(handle=OWN, vaults=(facts.home,), categories=EVERY_CATEGORY, types=PUBLIC_TYPES)
    yield Ground(handle=OWN, vaults=(facts.home,), categories=EVERY_CATEGORY, types=OWNED)
    if kept := keeps(facts.role):
        # By type: staff also leave there what names no patient and is still about one.
        yield Ground(handle=OWN, vaults=(facts.home,), categories=EVERY_CATEGORY, types=kept)
    yield from facts.opened


def _may_write_into(facts: Facts) -> tuple[bytes, ...] | None:
    if facts.role is Role.PATIENT:
        return facts.vaults
    return (facts.home,) if facts.role is Role.RESEARCHER else None
