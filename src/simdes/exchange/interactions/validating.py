"""``$validate`` (https://hl7.org/fhir/R4/resource-operation-validate.html): would it be accepted?

Nothing is stored and nothing is read but, where no resource is given, the one that is asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from simdes.access.rights import Interaction
from simdes.errors import Forbidden, Invalid, NotFound
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.read import read
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.outcome import Issue, issue_of
from simdes.fhir.validate import validate as problems_of

MODES: Final[Mapping[str, Interaction | None]] = {
    "": None,
    "profile": None,
    "create": Interaction.CREATE,
    "update": Interaction.UPDATE,
    "delete": Interaction.DELETE,
}
_NEEDS_RESOURCE: Final = frozenset(("create", "update"))


def validate(
    node: Node,
    asking: Asking,
    type_: str,
    resource: Any,
    *,
    logical_id: str = "",
    mode: str = "",
    profiles: Sequence[str] = (),
) -> list[Issue]:
    """What is wrong with a resource, or with what is asked to be done with it; [] if nothing is.

    ``resource`` None means the stored one. ``mode`` is a code of `MODES`, ``profiles`` are URLs of
    profiles to check, beside those that the resource claims. Raises Invalid for a mode or profile
    that is not known, NotFound where there is no stored resource for the caller.
    """
    if mode not in MODES:
        raise Invalid("The mode is one of create, update, delete and profile.")
    if resource is None and mode in _NEEDS_RESOURCE:
        raise Invalid(f"The mode {mode} needs the resource.")
    if resource is None and not logical_id:
        raise Invalid("There is no resource to validate.", advice="Send it as the body.")
    issues = list(_may(asking, type_, MODES[mode]))
    if resource is None:
        resource = finding.parsed(read(node, asking, type_, logical_id).content)
    elif logical_id and mode != "create":
        issues += _names(resource, logical_id)
    if mode == "delete":
        return issues
    return [*issues, *_fits(resource, type_), *_rules(node, resource, profiles)]


def _may(asking: Asking, type_: str, interaction: Interaction | None) -> Iterator[Issue]:
    try:
        if interaction is not None:
            asking.rights.require(interaction, type_)
    except Forbidden as error:
        yield Issue(code=error.issue, text=error.message, diagnostics=error.advice)


def _names(resource: Any, logical_id: str) -> Iterator[Issue]:
    sent = resource.get("id") if isinstance(resource, Mapping) else None
    if sent is not None and sent != logical_id:
        yield Issue(code="value", text="The id in the resource is not the id in the address.")


def _fits(resource: Any, type_: str) -> Iterator[Issue]:
    if isinstance(resource, Mapping) and resource.get("resourceType") != type_:
        yield Issue(code="invalid", text="The resource is not of the type of this address.")


def _rules(node: Node, resource: Any, profiles: Sequence[str]) -> list[Issue]:
    found = problems_of(resource, node.profiles)
    if not any(one.is_error and one.code in _MISSHAPEN for one in found):
        for url in profiles:
            try:
                found += node.profiles.validate(resource, url)
            except NotFound as error:
                raise Invalid(
                    "The profile to validate against is not loaded here.", advice=error.advice
                ) from error
    return [issue_of(one) for one in dict.fromkeys(found)]


_MISSHAPEN: Final = frozenset(("structure", "value"))
"""What keeps profiles from being asked: they are about values of the right shape."""
