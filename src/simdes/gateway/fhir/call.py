"""A FHIR request and its reply as values: what the interactions take and give.

The same values serve HTTP and the entries of a batch, so that an entry is answered exactly as the
request that it stands for would be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simdes.errors import Invalid, Unsupported
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.form import Form
from simdes.fhir.negotiation import Body, preferences

Pairs = tuple[tuple[str, str], ...]

_NOT_SEARCHED = frozenset(("_format", "_pretty", "_totalMethod"))
"""`_totalMethod` is what fhirpy sends with `_count=0` to a server of its makers."""

RESULT_PARAMETERS = frozenset(("_format", "_pretty", "_summary", "_elements"))
"""Parameters about the form of an answer, which every interaction takes."""


PATCHES: Final = (
    *(one.value for one in (Body.JSON_PATCH, Body.MERGE_PATCH)),
    *(one.value for one in Form),
)
"""What a patch may be sent as (RFC 5789, section 3.1)."""


@dataclass(slots=True)
class Noted:
    """What the log may know of a request: who asked, and which endpoint answered."""

    account: bytes | None = None
    organisation: bytes | None = None
    template: str = ""


class NotAcceptable(Unsupported):
    """No form of answer that the client takes (HTTP 406)."""


class WrongBody(Unsupported):
    """The body is of a type that this address does not take (HTTP 415); ``accepted`` are those
    that it does."""

    def __init__(
        self, message: str, *, advice: str | None = None, accepted: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, advice=advice)
        self.accepted = accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An HTTP request as far as it is read: ``address`` is below the base, ``path`` the whole."""

    method: str
    address: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    path: str
    noted: Noted = field(default_factory=Noted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. ``path`` are the named parts of its address, ``pairs`` its decoded parameters,
    ``headers`` lower-case names, ``resource`` the parsed body, None without one."""

    node: Node
    asking: Asking
    base: str
    method: str
    path: Mapping[str, str]
    pairs: Pairs = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    resource: Any = None
    media_type: str = ""
    body: bytes = field(default=b"", repr=False)

    @property
    def type(self) -> str:
        """The resource type of the address."""
        return self.path.get("type", "")

    @property
    def id(self) -> str:
        """The logical id of the address."""
        return self.path.get("id", "")

    @property
    def is_lenient(self) -> bool:
        """Whether unknown search parameters are passed over."""
        return preferences(self.headers.get("prefer")).handling == "lenient"

    @property
    def search_pairs(self) -> Pairs:
        """The parameters without those about the form of the answer that no search knows."""
        return tuple(pair for pair in self.pairs if pair[0] not in _NOT_SEARCHED)

    def value(self, name: str) -> str:
        """The one value of a parameter, "" without it; Invalid where it is repeated."""
        found = [value for key, value in self.pairs if key == name]
        if len(found) > 1:
            raise Invalid(f"The parameter {name} stands more than once.")
        return found[0] if found else ""

    def values(self, name: str) -> tuple[str, ...]:
        """Every value of a parameter, commas between values understood."""
        return tuple(
            item for key, value in self.pairs if key == name for item in value.split(",") if item
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer: ``content`` is JSON that is ready, else ``resource`` is to be written."""

    status: int = 200
    content: bytes = field(default=b"", repr=False)
    resource: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    updated_ms: int | None = None
    """When the resource that is given, or was changed, last changed."""
    is_outcome: bool = False
    """Whether ``resource`` tells how the request went, in place of what it gives."""
    subsetted: bool = False
    """Whether `_summary` and `_elements` still have to be applied: to resources, not outcomes."""
    media_type: str = ""
    """Other than FHIR's own: NDJSON, a Binary's content, text."""
    stream: Iterator[bytes] | None = field(default=None, repr=False)
    """In place of ``content``, what is too long to be held at once; its type is `media_type`."""
