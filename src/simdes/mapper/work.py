"""A document on its way through the sheets: what was taken, what waits, what is left over."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeGuard

from simdes.mapper import primitives
from simdes.mapper.draft import Draft, Node, Scope
from simdes.mapper.model import Dropped, Json, Site
from simdes.mapper.places import Place, Slots
from simdes.mapper.tree import Branch


class Mark(NamedTuple):
    """How far the work had come, to go back to."""

    nodes: int
    references: int
    periods: int
    taken: int
    waiting: int
    dropped: int
    explained: int


class Waiting(NamedTuple):
    """A reference to a resource that may be made later: by ``alias``, or as it is ``named``.

    ``taken`` is what it used of the source, ``targets`` the types it may lead to: empty for any.
    """

    slots: Slots
    place: Place
    repetition: int
    scope: Scope
    targets: frozenset[str]
    alias: str = ""
    named: str = ""
    taken: tuple[Branch, ...] = ()


class Work(Draft):
    """The draft of a document that sheets map.

    ``branch`` is what the resource at hand is made of and ``scope`` what stands around it.
    ``named`` are resources by a name of the source (an id, a key) that others refer to them by.
    ``patients`` are the (system, value) pairs of whose record it is, where no Patient is made.
    ``source`` is what a format's functions need to know of the document as a whole.
    """

    __slots__ = ("_taken", "branch", "named", "patients", "scope", "source", "upward", "waiting")

    def __init__(self, site: Site, *, explain: bool = False) -> None:
        super().__init__(site, explain=explain)
        self._taken: list[Branch] = []
        self.branch = Branch("")
        self.scope = Scope()
        self.named: dict[str, Node] = {}
        self.patients: list[tuple[str, str]] = []
        self.source: Any = None
        self.upward: dict[int, Json] = {}
        self.waiting: list[Waiting] = []

    def node(self, kind: str) -> Node:
        """Begin a resource, made of the branch at hand."""
        node = Node(kind, self.scope, self.branch, len(self.nodes))
        self.nodes.append(node)
        return node

    def take(self, branch: Branch) -> str:
        """Give a branch's text and count it as taken."""
        if not branch.taken:
            branch.taken = True
            self._taken.append(branch)
        return branch.value or ""

    def give_back(self, branch: Branch) -> None:
        """Count the branch taken last as not taken."""
        if self._taken and self._taken[-1] is branch:
            self._taken.pop()
            branch.taken = False

    def taken_since(self, count: int) -> tuple[Branch, ...]:
        """List what was taken after the first ``count`` branches."""
        return tuple(self._taken[count:])

    def mark(self) -> Mark:
        """Note how far the work has come."""
        explained = len(self.explained) if self.explained is not None else 0
        return Mark(
            len(self.nodes),
            len(self.references),
            len(self.periods),
            len(self._taken),
            len(self.waiting),
            len(self.dropped),
            explained,
        )

    def back(self, mark: Mark) -> None:
        """Forget everything since ``mark``: its value found no place."""
        self.untake(mark)
        for node in self.nodes[mark.nodes :]:
            if isinstance(node.origin, Branch) and node.origin.node is node:
                node.origin.node = None
        del self.nodes[mark.nodes :]
        del self.references[mark.references :]
        del self.periods[mark.periods :]
        del self.waiting[mark.waiting :]
        del self.dropped[mark.dropped :]
        if self.explained is not None:
            del self.explained[mark.explained :]

    def untake(self, mark: Mark) -> None:
        """Count what was taken since ``mark`` as not taken: not all of it found a place."""
        for branch in self._taken[mark.taken :]:
            branch.taken = False
        del self._taken[mark.taken :]

    def drop(self, branch: Branch, reason: str) -> None:
        """Report a branch as left out on purpose."""
        self.take(branch)
        self.dropped.append(Dropped(_plain(branch), reason))

    def point(self, slots: Slots, place: Place, repetition: int, node: Node) -> Json | None:
        """Put a reference to ``node``; gives it, None where something else stands.

        Where a part of it stands already (its identifier), the reference goes into that.
        """
        if not place.put(self, slots, repetition, {}):
            return None
        body = place.standing(self, slots, repetition)
        if not isinstance(body, dict) or "reference" in body:
            return None
        self.refer(body, node)
        return body

    def resolve(self) -> None:
        """Fill in the references that waited for their resource."""
        for wait in self.waiting:
            found = self.named.get(wait.named) if wait.named else wait.scope.find(wait.alias)
            body = (
                self.point(wait.slots, wait.place, wait.repetition, found)
                if _fits(found, wait)
                else None
            )
            if body is None:
                for branch in wait.taken:
                    branch.taken = False
            elif not wait.named:
                self.upward[id(body)] = body
        self.waiting.clear()


class Leftovers:
    """Keeps what no row took on the resource it belongs to, and reports what can't be kept.

    ``url`` names the extension; ``ignored`` are names (or ends of paths) left out on purpose, by
    their reason.
    """

    def __init__(self, url: str, ignored: dict[str, str]) -> None:
        self._url = url
        self._ignored = ignored

    def settle(self, work: Work, root: Branch, home: Node | None) -> None:
        """Keep or report what was not taken below ``root``; ``home`` has what belongs nowhere."""
        kept: dict[int, tuple[Node, list[Json]]] = {}
        reported: dict[tuple[str, str], None] = {}
        for branch in root.below():
            if branch.taken or not branch.value or not branch.value.strip():
                continue
            reason = self._reason(branch)
            owner = (_owner(branch) or home) if reason is None else None
            if owner is not None:
                value = primitives.string(branch.value)
                if value is not None:
                    top = owner.origin if isinstance(owner.origin, Branch) else None
                    entry = {"url": branch.path(top) or branch.name, "valueString": value}
                    kept.setdefault(id(owner), (owner, []))[1].append(entry)
                    work.here, work.prefix = owner, ""
                    work.note("extension.valueString", branch.path(), "no row: kept beside")
                    continue
                reason = "longer than a FHIR string or unprintable"
            reported[_plain(branch), reason or "no resource to keep it on"] = None
        for owner, entries in kept.values():
            extension = {"url": self._url, "extension": entries}
            owner.body.setdefault("extension", []).append(extension)
        work.dropped += [Dropped(path, reason) for path, reason in reported]

    def _reason(self, branch: Branch) -> str | None:
        name = branch.name
        found = self._ignored.get(name)
        if found is None and branch.outer is not None:
            found = self._ignored.get(f"{branch.outer.name}/{name}")
        return found


def _fits(found: Any, wait: Waiting) -> TypeGuard[Node]:
    return isinstance(found, Node) and (not wait.targets or found.type in wait.targets)


def _plain(branch: Branch) -> str:
    """Give a branch's path without numbers, so that equal ones are reported once."""
    names: list[str] = []
    here: Branch | None = branch
    while here is not None:
        names.append(here.name)
        here = here.outer
    return "/".join(reversed(names))


def _owner(branch: Branch) -> Node | None:
    here: Branch | None = branch
    while here is not None:
        if isinstance(here.node, Node):
            return here.node
        here = here.outer
    return None
