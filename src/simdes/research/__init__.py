"""Research on anonymised data: resources in, what may leave and a report of the rest out; pure.

The story, for one study that an ethics board approved and patients opted into:

1. A :class:`Policy` is declared in a data file and known by its digest (``policy``, ``policies``).
2. A :class:`Deidentifier` leaves of each resource what the policy names: study-wise pseudonyms,
   dates moved by the person's secret shift, births by year, no text, no extension.
3. :func:`make_release` does it for everybody in one stream, tells quasi-identifiers and facts so
   that the release is k-anonymous and l-diverse (`enforce`), and writes Bulk Data NDJSON; its
   :class:`Outcome` says what was suppressed, :func:`manifest` every file with its digest.
4. :func:`write_tables` makes flat CSV and Parquet of it by SQL on FHIR's view definitions
   (:class:`View`, ``views``), :func:`html_report` and :func:`markdown_report` show what was lost.
5. Before that, feasibility: ``counting`` has the mechanism (``noisy_count``), an answer's price
   (``charged``), the name by which it is remembered (``question``) and what is told (``told``).

Nothing here reads a clock, a store or a random number: today's date and the study's secret are
handed in. Who may be in a release (consent, withdrawal, criteria) is decided before, in the
exchange.
"""

from simdes.research.anonymity import Measured, measure
from simdes.research.deidentify import Deidentifier
from simdes.research.picturing import html_report, markdown_report
from simdes.research.policy import Policy, policies, policy, read_policy
from simdes.research.release import Outcome, make_release, manifest
from simdes.research.tables import FORMATS, write_tables
from simdes.research.views import View, views

__all__ = [
    "FORMATS",
    "Deidentifier",
    "Measured",
    "Outcome",
    "Policy",
    "View",
    "html_report",
    "make_release",
    "manifest",
    "markdown_report",
    "measure",
    "policies",
    "policy",
    "read_policy",
    "views",
    "write_tables",
]
