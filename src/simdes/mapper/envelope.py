"""Read of a refused input what its envelope says: which event it is and which system sent it.

For people who look for what a quarantined message has in common with others, so it must hold no
patient data even where fields stand in the wrong place: only codes of published tables and short
names in a header that is otherwise well formed are given out. HL7 v2: MSH-3, MSH-4 and MSH-9
(https://hl7-definition.caristix.com/v2/HL7v2.8/Segments/MSH); X12: ISA06 and ST01.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simdes.mapper.model import UTF16_MARKS

_WINDOW_BYTES = 4096
_MSH = re.compile(r"MSH(?P<field>[|])\^~\\&#?(?P=field)(?P<rest>[^\r\n]*)")
_TABLE_0076 = (
    "ACK ADR ADT BAR BPS BRP BRT BTS CCF CCI CCM CCQ CCR CCU CQU CRM CSU DBC DBU DEL DEO DER "
    "DET DFT DOC DPR DRG DRR DSR EAC EAN EAR EDR EHC EQQ ERP ESR ESU INR INU LSR LSU MCF MDM "
    "MFD MFK MFN MFQ MFR NMD NMQ NMR OMB OMD OMG OMI OML OMN OMP OMQ OMS OPL OPR OPU ORA ORB "
    "ORD ORF ORG ORI ORL ORM ORN ORP ORR ORS ORU ORX OSM OSQ OSR OSU OUL PEX PGL PIN PMU PPG "
    "PPP PPR PPT PPV PRR PTR QBP QCK QCN QCR QRY QSB QSX QVR RAR RAS RCI RCL RDE RDR RDS RDY "
    "REF RER RGR RGV ROR RPA RPI RPL RPR RQA RQC RQI RQP RRA RRD RRE RRG RRI RSP RTB SCN SDN "
    "SDR SIU SLN SLR SMD SQM SQR SRM SRR SSR SSU STC STI STS SUR TBR TCR TCU UDM VQQ VTQ VXQ "
    "VXR VXU VXX"
)
_MESSAGE_TYPES = frozenset(_TABLE_0076.split())
"""HL7 table 0076; a type of a site's own begins with Z."""
_TRIGGER = re.compile(r"[A-Z][A-Z0-9]\d|PC[A-L]|Z[A-Z0-9]{2}")
_LOCAL_TYPE = re.compile(r"Z[A-Z0-9]{2}")
# Five digits in a row may be a number somebody has; a system's name does without.
_SYSTEM_NAME = re.compile(r"(?!.*\d{5})[A-Za-z][A-Za-z0-9 _.\-/]{0,39}")
_ISA = re.compile(
    r"ISA(?P<field>[^A-Za-z0-9\s])(?:[^*|~\r\n]*(?P=field)){5}(?P<sender>[^*|~\r\n]*)"
)
_ST = re.compile(r"[~\r\n]\s*ST[*|](?P<set>\d{3})[*|]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """``event`` as in `Mapped`, ``sender`` as ``APPLICATION|FACILITY``; "" where not told."""

    event: str = ""
    sender: str = ""


def envelope(data: bytes) -> Envelope:
    """Read the envelope of ``data`` as far as it is one; never raises."""
    coding = "utf-16" if data[:2] in UTF16_MARKS else "latin-1"
    head = data[:_WINDOW_BYTES].decode(coding, errors="replace").lstrip("\ufeff\x0b\x1c \t\r\n")
    head = head.removeprefix("\xef\xbb\xbf")
    if found := _MSH.match(head):
        return _of_message(found["rest"].split(found["field"]))
    if found := _ISA.match(head):
        set_ = _ST.search(head)
        return Envelope(event=set_["set"] if set_ else "", sender=_system(found["sender"]))
    return Envelope()


def _of_message(fields: list[str]) -> Envelope:
    """``fields`` begin with MSH-3."""
    fields += [""] * (7 - len(fields))
    names = [_system(field.partition("^")[0]) for field in fields[:2]]
    return Envelope(event=_event(fields[6]), sender="|".join(names) if any(names) else "")


def _event(field: str) -> str:
    type_, _, trigger = field.partition("~")[0].partition("^")
    trigger = trigger.partition("^")[0]
    if type_ not in _MESSAGE_TYPES and not _LOCAL_TYPE.fullmatch(type_):
        return ""
    return f"{type_}^{trigger}" if _TRIGGER.fullmatch(trigger) else type_


def _system(text: str) -> str:
    name = text.strip()
    return name if _SYSTEM_NAME.fullmatch(name) else ""
