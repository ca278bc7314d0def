"""Whether a text is a unit of UCUM (https://ucum.org/ucum, section 2: the c/s forms).

The atoms and prefixes are those of ``ucum-essence.xml``, compiled by ``tools/compile_ucum.py``.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources

import msgspec

from simdes.decoding import ready

LONGEST_UNIT = 200

_PARTS = re.compile(
    r"(?P<unit>(?:10[*^]|(?:[^\s\d().{}/\[\]+-]|\[[^\]\s]*\])+)(?:[+-]?\d+)?)"
    r"|(?P<factor>[1-9]\d*)"
    r"|(?P<note>\{[!-z|~]*\})"
    r"|(?P<sign>[./()])"
)
_EXPONENT = re.compile(r"[+-]?\d+$")


class _Atoms(msgspec.Struct):
    prefixes: frozenset[str]
    metric: frozenset[str]
    plain: frozenset[str]


@lru_cache(maxsize=4096)
def is_unit(text: str) -> bool:
    """Say whether ``text`` is a unit expression, such as ``mm[Hg]`` or ``10*3/uL``."""
    if not text or len(text) > LONGEST_UNIT:
        return False
    depth, at, before = 0, 0, "start"
    while at < len(text):
        part = _PARTS.match(text, at)
        if part is None:
            return False
        kind = part.lastgroup or ""
        kind = part[0] if kind == "sign" else kind
        if before not in _AFTER[kind] or (kind == "unit" and not _is_simple_unit(part[0])):
            return False
        depth += (kind == "(") - (kind == ")")
        if depth < 0:
            return False
        before, at = kind, part.end()
    return depth == 0 and before in _ENDS


_ENDS = frozenset(("unit", "factor", "note", ")"))
_OPENS = frozenset(("start", "(", ".", "/"))
_AFTER = {
    "unit": _OPENS,
    "factor": _OPENS,
    "(": _OPENS,
    "note": _OPENS | {"unit", "factor", ")"},
    ".": _ENDS,
    "/": _ENDS | {"start", "("},
    ")": _ENDS,
}
"""What each part of an expression may follow."""


def _is_simple_unit(text: str) -> bool:
    if text[:3] in ("10*", "10^"):
        return True
    name = text if text.endswith("]") else _EXPONENT.sub("", text)
    atoms = _atoms()
    if name in atoms.metric or name in atoms.plain:
        return True
    return any(
        name[:length] in atoms.prefixes and name[length:] in atoms.metric for length in (1, 2)
    )


@cache
def _atoms() -> _Atoms:
    data = resources.files("simdes.fhir.definitions").joinpath("ucum.json").read_bytes()
    return msgspec.json.decode(data, type=ready(_Atoms))
