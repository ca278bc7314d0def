"""From what a caller wants imported to a job: who may, from where, or what came along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from simdes.access.rights import SCOPE, Interaction
from simdes.errors import Forbidden, Invalid, TooLarge
from simdes.exchange.bulk import jobs
from simdes.exchange.bulk.asked import Asked, Import, Input, who_asks
from simdes.exchange.bulk.lines import Chunk, chunks_of
from simdes.exchange.bulk.stages import READ, Position, text_of
from simdes.exchange.bulk.staging import MOST_INPUTS, MOST_LINES, keep
from simdes.exchange.node import Node
from simdes.exchange.rights import Asking
from simdes.fhir.definitions import resource_types
from simdes.index import bulk
from simdes.index.bulk import Job
from simdes.index.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is to be imported, as it came: files, or a manifest that lists them, or ``body``.

    ``begins``, ``source`` and ``credential`` as in `Import`; ``request`` is the URL that was asked.
    """

    request: str
    inputs: tuple[Input, ...] = ()
    manifest: str = ""
    begins: bool = False
    body: bytes | None = field(default=None, repr=False)
    source: str = ""
    credential: str = field(default="", repr=False)


def load(node: Node, asking: Asking, wish: Load) -> str:
    """Begin an import and return the job's name.

    Raises Forbidden where the caller may not import (this), Invalid for what can't be meant and for
    addresses that nothing is fetched from, TooLarge for too much.
    """
    _require_allowed(asking, {one.type for one in wish.inputs if one.type})
    for url in (wish.manifest, *(one.url for one in wish.inputs)):
        if url:
            node.files.check(url)
    inputs = wish.inputs
    if wish.body is not None:
        inputs = (Input(type="", url=wish.request),)
    if not wish.manifest and not 0 < len(inputs) <= MOST_INPUTS:
        raise Invalid(f"An import has 1 to {MOST_INPUTS} inputs.")
    order = Import(
        request=wish.request,
        inputs=inputs,
        manifest=wish.manifest,
        begins=wish.begins,
        source=wish.source,
        credential=wish.credential,
    )
    chunks = [] if wish.body is None else _taken(wish.body)
    zeros = (0,) * len(inputs)

    def first(tx: Transaction, job: Job) -> str:
        bulk.add_parts(tx, [keep(node, job.id, one, at) for at, one in enumerate(chunks)])
        if wish.body is None:
            return text_of(Position(good=zeros, bad=zeros))
        count, lines = len(chunks), sum(len(one.lines) for one in chunks)
        return text_of(
            Position(stage=READ, base=count, chunks=count, lines=lines, good=zeros, bad=zeros)
        )

    return jobs.begin(node, asking, Asked(who=who_asks(asking), importing=order), first)


def _taken(body: bytes) -> Sequence[Chunk]:
    chunks, lines = [], 0
    for one in chunks_of(body):
        chunks.append(one)
        lines += len(one.lines)
        if lines > MOST_LINES:
            raise TooLarge(f"One import has at most {MOST_LINES} lines.")
    if not chunks:
        raise Invalid("There is nothing to import.", advice="Send a resource on each line.")
    return chunks


def _require_allowed(asking: Asking, types: set[str]) -> None:
    """Whoever brings in resources under ids of their own may write them under any, for anybody."""
    allowed = importable(asking)
    if asking.facts.scopes is None or not allowed:
        raise Forbidden(
            "An import needs an app or service that may create and update for every patient.",
            advice="Ask with the token of a backend service (system/*.cu), or with user/*.cu.",
            reason=SCOPE,
        )
    if unknown := types - resource_types():
        raise Invalid(f"{len(unknown)} of the types of inputs are no resource types.")
    if closed := sorted(types - allowed):
        listed = ", ".join(closed)
        raise Forbidden(f"The role or app may not import {listed}.", reason=SCOPE)


def importable(asking: Asking) -> frozenset[str]:
    """The types that the caller may create and update under ids of their choice."""
    rights = asking.rights
    both = (Interaction.CREATE, Interaction.UPDATE)
    return frozenset(
        type_
        for type_ in resource_types()
        if all(type_ in rights.writable[one] and rights.scopes(one, type_) for one in both)
        and rights.may_choose_id(type_)
    )
