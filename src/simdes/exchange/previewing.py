"""What a consent would open, before it is given: the patient's own records, seen as the grantee.

Counted from what the patient may see now; what is written later in the same categories is opened,
too, for as long as the consent lasts.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from simdes.access.categories import Category, Label, category_mask, classify, label_mask, members
from simdes.exchange.interactions import finding
from simdes.exchange.interactions.collecting import collected
from simdes.exchange.interactions.found import Found
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """``opened`` are the records that would be open; ``closed`` how many of the categories stay
    closed for their labels, ``labels`` which those are; ``partly`` whether others' records could
    not all be looked through."""

    opened: tuple[Found, ...]
    closed: int
    labels: tuple[str, ...]
    partly: bool


def preview(
    node: Node,
    asking: Asking,
    patient: str,
    *,
    categories: Collection[str],
    labels: Collection[str],
) -> Preview:
    """What a consent for these categories and labels would open of a patient's own records.

    Raises Invalid for unknown names, NotFound where the caller sees no such patient.
    """
    wanted, allowed = category_mask(sorted(categories)), label_mask(sorted(labels))
    found, warnings = collected(node, asking, patient)
    opened: list[Found] = []
    closed, kept = 0, 0
    for one in found:
        category, its = classify(finding.parsed(one.content))
        if not wanted >> category & 1:
            continue
        if its & ~allowed:
            closed += 1
            kept |= its & ~allowed
        else:
            opened.append(one)
    return Preview(
        opened=tuple(opened),
        closed=closed,
        labels=tuple(one.name for one in members(kept, Label)),
        partly=bool(warnings),
    )


_BY_ITSELF = (Category.PRESCRIPTIONS, Category.DISCLOSURES)
CATEGORIES = tuple(one.label for one in Category if one not in _BY_ITSELF)
"""What a patient may open by hand; prescriptions go to a pharmacy, and lines of a claim to an
insurer, by a step of their own."""
LABELS = tuple(one.name for one in Label)
"""The kinds of sensitive records that a consent has to name."""
