"""The FHIR Data Mapper: source bytes in, FHIR R4 Bundles out (paper, Fig. 1).

The verbs are `detect`, `map_bytes` and `report`. They are pure and never raise on bad input: what
cannot be mapped comes back quarantined, with its bytes, a reason and advice.
HL7 v2 follows HL7's published maps, https://build.fhir.org/ig/HL7/v2-to-fhir/.
"""

from simdes.mapper.api import FORMATS, check_site, detect, map_bytes, report
from simdes.mapper.model import (
    DEFAULT_SITE,
    LIMITS,
    Dropped,
    Explained,
    Limits,
    Mapped,
    Mapping,
    Quarantined,
    Site,
)
from simdes.mapper.site import site_of

__all__ = [
    "DEFAULT_SITE",
    "FORMATS",
    "LIMITS",
    "Dropped",
    "Explained",
    "Limits",
    "Mapped",
    "Mapping",
    "Quarantined",
    "Site",
    "check_site",
    "detect",
    "map_bytes",
    "report",
    "site_of",
]
