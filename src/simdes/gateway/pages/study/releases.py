"""A study's releases on its page: one is ordered, and what came of it is fetched."""

from __future__ import annotations

from typing import Final

from simdes.errors import Invalid
from simdes.exchange.research import small
from simdes.exchange.research.studies import Document
from simdes.gateway.pages.answering import Sent
from simdes.gateway.pages.asking import Asked, id_of
from simdes.research.policy import Policy, policies, policy

MOST_POLICY: Final = 64


def chosen_policy(asked: Asked) -> Policy:
    """The policy of a form. Raises Invalid."""
    name = asked.field("policy", most=MOST_POLICY)
    if name not in policies():
        raise Invalid("Choose a policy.", advice="Pick one from the list.")
    return policy(name)


def fetched(asked: Asked, document: Document) -> Sent:
    """A release that was made: sealed, opened, or what it changed in pictures.

    Raises as `small.opened`.
    """
    node, session = asked.node, asked.visit.session
    order = id_of(asked.field("order", most=64))
    what = asked.field("fetch", most=16)
    if what == "sealed":
        content = small.sealed(node, session, document, order)
        return Sent(content, "application/zip", "release.zip")
    if what == "pictures":
        content = small.pictures(node, session, document, order)
        return Sent(content, "text/html; charset=utf-8", "what-changed.html")
    accepts = asked.field("accepts", most=16).startswith("yes")
    content = small.opened(node, session, document, order, accepts=accepts)
    return Sent(content, "application/zip", "release-opened.zip")
