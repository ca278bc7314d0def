"""The few things about X12 that rows alone can't say; sheets call them by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from simdes.fhir.likeness import folded
from simdes.mapper.draft import Node
from simdes.mapper.identity import uuid
from simdes.mapper.sheets import rows
from simdes.mapper.tree import Branch
from simdes.mapper.work import Work

_CPT = "http://www.ama-assn.org/go/cpt"
_HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
_X12 = "https://codesystem.x12.org/005010"
_CPT_CODE = re.compile(r"\d{4}[0-9A-Z]")
_SERVICES = {
    "AD": "http://www.ada.org/cdt",
    "HP": "https://www.cms.gov/Medicare/Medicare-Fee-for-Service-Payment/ProspMedicareFeeSvcPmtGen/HIPPSCodes",
    "N4": "http://hl7.org/fhir/sid/ndc",
    "NU": "https://www.nubc.org/CodeSystem/RevenueCodes",
}
_ICD = {
    "10": "http://hl7.org/fhir/sid/icd-10-cm",
    "9": "http://hl7.org/fhir/sid/icd-9-cm",
    "10 procedure": "http://www.cms.gov/Medicare/Coding/ICD10",
}
_PROCEDURES_9 = frozenset(("BR", "BQ"))
_PROCEDURES_10 = frozenset(("BBR", "BBQ"))


@dataclass(slots=True)
class Told:
    """What functions remember of a transaction: numbers given, payers and providers found."""

    numbers: dict[tuple[str, int, str], dict[int, int]] = field(default_factory=dict)
    parties: dict[tuple[int, str], str] = field(default_factory=dict)


def begin(work: Work, root: Branch) -> None:
    """Begin a transaction: let payments of other payers find the insurance they are about."""
    work.source = Told()
    for claim in (one for one in root.below() if one.name == "2300"):
        _join_payers(claim)


def _join_payers(claim: Branch) -> None:
    """Put what another payer decided on a line also with that payer."""
    by_payer: dict[str, Branch] = {}
    for other in claim.inner.get("2320", ()):
        for payer in other.inner.get("2330B", ()):
            by_payer.setdefault(_texts(payer, "NM1", "NM109"), other)
    for line in claim.inner.get("2400", ()):
        for decided in line.inner.get("2430", ()):
            found = by_payer.get(_texts(decided, "SVD", "SVD01"))
            if found is not None:
                found.inner.setdefault("decided", []).append(decided)


def _texts(branch: Branch, *names: str) -> str:
    """Give the text at a path of first branches; empty where there is none."""
    for name in names:
        found = branch.inner.get(name)
        if not found:
            return ""
        branch = found[0]
    return branch.value or ""


def number(work: Work, branch: Branch, kind: str) -> str:
    """Number the branches of a kind in a resource, from 1 as they are first asked for."""
    here = work.here
    origin = here.origin if here is not None else branch
    told: Told = work.source
    key = (here.type if here is not None else "", id(origin), kind)
    numbers = told.numbers.setdefault(key, {})
    return str(numbers.setdefault(id(branch), len(numbers) + 1))


def name(work: Work, branch: Branch) -> str:
    """Give the name of the element: ``CLM06``."""
    del work
    return branch.name


def element_system(work: Work, branch: Branch, element: str) -> str:
    """Name the code list of an X12 data element."""
    del work, branch
    return f"{_X12}/{element}"


@cache
def _known(element: str) -> dict[str, tuple[str, str]]:
    text = (files("simdes.mapper.x12") / "ids.psv").read_text(encoding="utf-8")
    return {
        code: (line.cell("system"), line.cell("by"))
        for line in rows("ids.psv", text)
        if line.cell("element") == element
        for code in line.cell("codes").split()
    }


def id_system(work: Work, branch: Branch, element: str, code: str) -> str:
    """Name whose number it is, by the code that qualifies it (``ids.psv``)."""
    system, by = _known(element).get(code, ("", ""))
    if system:
        return system
    if by == "provider":
        return f"{_provider(work, branch)}:{_word(code)}"
    if by == "member" or (by and code == "MI"):
        return f"{_payer(work, branch)}:member"
    if by:
        return f"{_payer(work, branch)}:{_word(code)}"
    return f"urn:simdes:x12:{element}:{_word(code)}"


def claim_system(work: Work, branch: Branch) -> str:
    """Name the numbers that the billing provider gives its claims (CLM01, CLP01, REF*EJ)."""
    return f"{_provider(work, branch)}:claim"


def payer_claim_system(work: Work, branch: Branch) -> str:
    """Name the control numbers that the payer gives claims (CLP07, REF*F8, REF*1K)."""
    return f"{_payer(work, branch)}:claim"


def provider_trace_system(work: Work, branch: Branch) -> str:
    """Name the numbers of a provider's inquiries (TRN02 of 276 and 277)."""
    return f"{_provider(work, branch)}:trace"


def trace_system(work: Work, branch: Branch, originator: str) -> str:
    """Name the numbers of traces (TRN02) by who gave them (TRN03)."""
    del work, branch
    return f"urn:simdes:x12:trace:{_word(originator)}" if originator else "urn:simdes:x12:trace"


def _payer(work: Work, branch: Branch) -> str:
    key = _party(work, branch, "payer", ("PR", "IN", "AY"))
    return work.site.systems.get(key) or f"urn:simdes:x12:payer:{key or 'unknown'}"


def _provider(work: Work, branch: Branch) -> str:
    key = _party(work, branch, "provider", ("85", "1P", "PE"))
    return work.site.systems.get(key) or f"urn:simdes:x12:provider:{key or 'unknown'}"


def _party(work: Work, branch: Branch, kind: str, roles: tuple[str, ...]) -> str:
    """Find who plays one of ``roles`` around ``branch``: their number, else their name."""
    told: Told = work.source
    climbed: list[tuple[int, str]] = []
    here: Branch | None = branch
    found = ""
    while here is not None:
        key = (id(here), kind)
        if key in told.parties:
            found = told.parties[key]
            break
        climbed.append(key)
        found = _inside(here, roles)
        if found:
            break
        here = here.outer
    told.parties.update(dict.fromkeys(climbed, found))
    return found


def _inside(branch: Branch, roles: tuple[str, ...]) -> str:
    for loop in branch.branches():
        for segment, role, names in (("NM1", "NM101", _NM1), ("N1", "N101", _N1)):
            if _texts(loop, segment, role) in roles:
                texts = (_texts(loop, segment, one) for one in names)
                return next((_word(text) for text in texts if text), "")
    return ""


_NM1 = ("NM109", "NM103")
_N1 = ("N104", "N102")


def _word(text: str) -> str:
    """Write a text as part of a URN."""
    return re.sub(r"[^0-9A-Za-z.-]+", "-", text).strip("-").lower() or "unknown"


def currency(work: Work, branch: Branch) -> str:
    """Give the transaction's currency: CUR02, else dollars."""
    del work
    while branch.outer is not None:
        branch = branch.outer
    found = _texts(branch, "CUR", "CUR02")
    return found if re.fullmatch(r"[A-Z]{3}", found) else "USD"


def service_system(work: Work, branch: Branch, qualifier: str, code: str) -> str:
    """Name the code system of a service; HC is CPT where the code is one of CPT's."""
    del work, branch
    known = _SERVICES.get(qualifier)
    if known:
        return known
    if qualifier == "HC":
        return _CPT if _CPT_CODE.fullmatch(code) else _HCPCS
    return f"{_X12}/235#{_word(qualifier)}" if qualifier else f"{_X12}/234"


def modifier_system(work: Work, branch: Branch, code: str) -> str:
    """Name the code system of a modifier: CPT's are two digits."""
    del work, branch
    return _CPT if code.isdigit() else _HCPCS


def icd_system(work: Work, branch: Branch, qualifier: str) -> str:
    """Name the code system of a diagnosis or procedure by its qualifier (element 1270)."""
    del work, branch
    if qualifier in _PROCEDURES_10:
        return _ICD["10 procedure"]
    return _ICD["10" if qualifier.startswith("A") else "9"]


def icd(work: Work, branch: Branch, code: str, qualifier: str) -> str:
    """Write a diagnosis or procedure code with the point that X12 leaves out."""
    del work, branch
    code = code.upper()
    if qualifier in _PROCEDURES_10 or "." in code:
        return code
    if qualifier in _PROCEDURES_9:
        whole = 2
    else:
        whole = 4 if code[:1] == "E" and not qualifier.startswith("A") else 3
    return f"{code[:whole]}.{code[whole:]}" if len(code) > whole else code


def dependent_system(work: Work, branch: Branch) -> str:
    """Name the numbers that we give dependents who have none of the payer's (`dependent`)."""
    return f"{_payer(work, branch)}:dependent"


def dependent(
    work: Work, branch: Branch, number: str, relation: str, born: str, given: str
) -> str | None:
    """Tell a dependent apart within the subscriber's family: a name-based number; None where what
    is said would fit several (decision 52).

    Of the given name what every writing of it has: letters and digits without case and accents.
    An initial would fit twins.
    """
    del work, branch
    name = "".join(folded(given))
    if not (number and relation and _DAY.fullmatch(born)) or len(name) < _A_NAME:
        return None
    return uuid("dependent", number.strip().upper(), relation, born, name)


_DAY = re.compile(r"[12]\d{7}")
_A_NAME = 2


def text_of(work: Work, branch: Branch, text: str) -> str | None:
    """Give a text as it came."""
    del work, branch
    return text or None


def bill_type(work: Work, branch: Branch, facility: str, frequency: str) -> str | None:
    """Write the type of bill: the facility's code and how often."""
    del work, branch
    return f"{facility}{frequency}" if facility and frequency else facility or None


def minus(work: Work, branch: Branch, text: str) -> str | None:
    """Turn an amount around: X12 writes what is taken off as positive."""
    del work, branch
    return text[1:] if text.startswith("-") else f"-{text}" if text else None


def made(work: Work, branch: Branch) -> Node | None:
    """Give the resource that was made of this branch."""
    del work
    return branch.node if isinstance(branch.node, Node) else None


def said(work: Work, branch: Branch) -> str:
    """Give an element with its name: ``TS303: 110``."""
    return f"{branch.name}: {work.take(branch)}"


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "bill_type": bill_type,
    "claim_system": claim_system,
    "currency": currency,
    "dependent": dependent,
    "dependent_system": dependent_system,
    "element_system": element_system,
    "icd": icd,
    "icd_system": icd_system,
    "id_system": id_system,
    "made": made,
    "minus": minus,
    "modifier_system": modifier_system,
    "name": name,
    "number": number,
    "payer_claim_system": payer_claim_system,
    "provider_trace_system": provider_trace_system,
    "said": said,
    "service_system": service_system,
    "text_of": text_of,
    "trace_system": trace_system,
}
