"""Closed lists of words that pages show: roles, what was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simdes.gateway.pages.insurer.words import CLAIM_DONE, CLAIM_WORDS
from simdes.gateway.pages.languages import mark as _
from simdes.gateway.pages.office.words import OFFICE_DONE, OFFICE_WORDS
from simdes.gateway.pages.record.kinds import PARTS
from simdes.gateway.pages.study.words import STUDY_DONE, STUDY_WORDS

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "role": {
        "patient": _("Patient"),
        "doctor": _("Doctor"),
        "nurse": _("Nurse"),
        "pharmacist": _("Pharmacist"),
        "insurer": _("Insurer"),
        "researcher": _("Researcher"),
        "administrator": _("Administrator"),
    },
    "category": {
        "demographics": _("Name, address and contacts"),
        "encounters": _("Visits and appointments"),
        "conditions": _("Problems and diagnoses"),
        "observations": _("Measurements and test results"),
        "medications": _("Medicines"),
        "allergies": _("Allergies"),
        "immunizations": _("Vaccinations"),
        "prescriptions": _("Prescriptions to be dispensed"),
        "procedures": _("Procedures, orders and devices"),
        "documents": _("Documents and messages"),
        "imaging": _("Images"),
        "care-plans": _("Care plans and goals"),
        "claims": _("Insurance and bills"),
        "family-social": _("Family history"),
        "administrative": _("Staff, places and administration"),
        "research": _("Research"),
        "other": _("Other records"),
        "sources": _("Original messages"),
        "disclosures": _("What insurers are shown for a claim"),
    },
    "people": {
        "": _("Everybody there whose role allows it"),
        "doctor": _("Doctors"),
        "nurse": _("Nurses"),
        "pharmacist": _("Pharmacists"),
        "insurer": _("Insurance clerks"),
        "researcher": _("Researchers"),
        "administrator": _("Administrators"),
        "patient": _("Patients"),
        "agent": _("The organisation's software"),
    },
    "kind": {
        "hospital": _("hospital"),
        "pharmacy": _("pharmacy"),
        "insurer": _("insurer"),
        "research": _("research"),
    },
    "purpose": {
        "TREAT": _("treatment"),
        "HPAYMT": _("payment"),
        "HOPERAT": _("running the organisation"),
        "HRESCH": _("research"),
        "ETREAT": _("emergency treatment"),
        "PATRQT": _("at the patient's own request"),
    },
    "label": {
        "ETH": _("alcohol and drugs"),
        "HIV": _("HIV and AIDS"),
        "PSY": _("mental health"),
        "SEX": _("sexuality and reproduction"),
        "SDV": _("sexual assault and violence"),
        "GDIS": _("genetic disease"),
        "STD": _("sexually transmitted disease"),
        "R": _("marked as restricted"),
        "V": _("marked as very restricted"),
    },
    "verb": {
        "release": _("opened records"),
        "manifests": _("listed what there is"),
        "capsules": _("fetched keys"),
        "locate": _("looked for you in the network"),
        "log": _("read this log"),
        "read": _("read records"),
        "write": _("wrote into your record"),
        "vouch": _("answered for you as a guardian"),
        "attest": _("confirmed who you are"),
        "reconcile": _("compared trails"),
        "released": _("put what your record says, without your name, into a research release"),
        "quarantine-read": _("read a message in quarantine"),
        "quarantine-decide": _("decided about a message in quarantine"),
        "request": _("asked you for access"),
        "explain": _("told you why it was an emergency"),
        "emergency": _("opened your record in an emergency, or reviewed that"),
        "other": _("a technical step"),
        "someone": _("Software"),
    },
    "chart": {
        "none": _("had nothing of it"),
        "erased": _("erased what it had"),
        "kept": _("keeps what it wrote itself, because a law says so"),
    },
    "filter": {
        "": _("By others"),
        "refused": _("Refused"),
        "all": _("Everything"),
    },
    "doubt": {
        "unproven": _("What was shown is not what stands on the ledger. Asked:"),
        "missing": _("An entry is missing that others show. Asked:"),
        "fewer-releases": _("Fewer show that they helped to open a record than it takes:"),
        "contradicted": _("What is said here contradicts others:"),
        "other": _("What organisations say does not agree:"),
    },
    "part": PARTS,
    "visit": {
        "AMB": _("at the practice or clinic"),
        "EMER": _("emergency room"),
        "IMP": _("on the ward"),
        "HH": _("at the patient's home"),
        "VR": _("by video or telephone"),
    },
    "vital": {
        "temperature": _("Temperature"),
        "pulse": _("Pulse"),
        "breathing": _("Breathing rate"),
        "oxygen": _("Oxygen saturation"),
        "systolic": _("Blood pressure, upper"),
        "diastolic": _("Blood pressure, lower"),
        "weight": _("Weight"),
        "height": _("Height"),
    },
    "order": {
        "laboratory": _("Laboratory"),
        "imaging": _("Imaging"),
        "referral": _("Referral"),
        "counselling": _("Counselling"),
        "education": _("Education"),
    },
    "unit": {
        "tablet": _("tablets"),
        "capsule": _("capsules"),
        "mL": _("mL"),
        "g": _("g"),
        "puff": _("puffs"),
        "drop": _("drops"),
        "patch": _("patches"),
        "unit": _("units"),
    },
    "grade": {
        "certain": _("certainly the same"),
        "probable": _("probably the same"),
        "possible": _("possibly the same"),
    },
    "gender": {
        "female": _("female"),
        "male": _("male"),
        "other": _("other"),
        "unknown": _("unknown"),
    },
    "emergency": {
        "unconscious": _("The patient can't answer"),
        "life-threatening": _("There is no time to ask"),
        "incapable": _("The patient can't decide now"),
        "danger": _("The patient is a danger to themselves or others"),
        "other": _("Something else, in words below"),
    },
    **OFFICE_WORDS,
    **CLAIM_WORDS,
    **STUDY_WORDS,
    "severity": {
        "high": _("grave"),
        "moderate": _("to be looked at"),
        "low": _("to be known"),
    },
    "reason": {
        "altchoice": _("Another treatment is to be tried first"),
        "clarif": _("To be cleared with the prescriber"),
        "drughigh": _("Level of the drug too high"),
        "hospadm": _("Patient in hospital"),
        "labint": _("It would disturb a laboratory test"),
        "non-avail": _("Patient not available"),
        "preg": _("Pregnant or breast-feeding"),
        "saig": _("Allergy"),
        "sddi": _("Interaction with another medicine"),
        "sdupther": _("The same therapy twice"),
        "sintol": _("Probably not tolerated"),
        "surg": _("An operation is planned"),
        "washout": _("A break without the medicine"),
        "outofstock": _("Not in stock"),
        "offmarket": _("Not on the market"),
    },
    "state": {
        "pending": _("being prepared"),
        "early": _("not valid yet"),
        "issued": _("ready"),
        "held": _("at a pharmacy"),
        "partly-dispensed": _("partly handed out"),
        "completed": _("handed out"),
        "cancelled": _("cancelled by the prescriber"),
        "expired": _("expired"),
    },
    "done": {
        **OFFICE_DONE,
        **CLAIM_DONE,
        **STUDY_DONE,
        "requested": _("The patient was asked. You will find them here once they open it to you."),
        "written": _("It is written into the record."),
        "prescribed": _("It is prescribed. The patient chooses the pharmacy."),
        "registered": _("The patient is registered here."),
        "granted": _("It is shared. You can end it here at any time."),
        "narrowed": _("The new one stands, the old one has ended."),
        "ended": _("It has ended. Nothing more can be opened under it."),
        "all-ended": _("Everything has ended. You share your record with nobody."),
        "appointed": _("They are appointed, and were told. They count after the delay."),
        "appointed-untold": _(
            "They are appointed. Somebody's organisation did not answer; they are told later."
        ),
        "guardians-back": _("They are taken back. What stood before goes on."),
        "vetoed": _("It is stopped. Appoint other guardians if you do not trust these any more."),
        "renewed": _("Your record's custodians have new keys for it."),
        "let-in": _("You let them in. With enough guardians it goes on by itself."),
        "declined": _("You declined. They are not told."),
        "correction": _("Your request was sent. The answer will stand here."),
        "erasing": _("It was asked of everybody. Below is who answered."),
        "takes-part": _("You take part. You can leave at any time."),
        "stands-by": _("You stand by for such studies."),
        "left-study": _("You have left. You are in no later release."),
        "withdrawn": _("It is at no pharmacy any more."),
        "preferred": _("From now on every prescription goes there by itself."),
        "accepted": _("It belongs to this pharmacy until you let it go."),
        "released": _("Another pharmacy can dispense it now."),
        "refused": _("It is refused here. The patient may take it to another pharmacy."),
        "not-preferred": _("From now on no prescription goes anywhere by itself."),
        "passphrase": _("Your passphrase is changed. You were signed out everywhere else."),
        "passkey": _("The passkey was added. From now on it signs you in by itself."),
        "passkey-alone": _(
            "The passkey was added. It can't unlock your account by itself, so you will be asked "
            "for your passphrase besides."
        ),
        "passkey-renamed": _("The passkey has its new name."),
        "passkey-removed": _("The passkey was removed."),
        "codes-off": _("One-time codes are off."),
        "session": _("You are signed out there."),
        "sessions": _("You are signed out everywhere but here."),
        "app": _("The app can't use your account any more."),
        "signed-out": _("You are signed out."),
    },
}

_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrom", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_of(client: str) -> str:
    """``Firefox · Linux`` for what a browser calls itself; "" where nothing is known."""
    found = [next((name for mark, name in listed if mark in client), "") for listed in _LISTS]
    return " · ".join(name for name in found if name)


_LISTS: Final = (_BROWSERS, _SYSTEMS)
