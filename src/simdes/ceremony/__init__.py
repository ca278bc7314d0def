"""Making the circuits' keys together, so that nobody can forge proofs unless all contributors can.

Phase 2 of the set-up of Groth16 (https://eprint.iacr.org/2017/1050), docs/operations/ceremony.md.
"""

from simdes.ceremony.steps import contribute, finish, start, verify
from simdes.ceremony.tools import Tools
from simdes.ceremony.transcript import Contribution, Transcript

__all__ = ["Contribution", "Tools", "Transcript", "contribute", "finish", "start", "verify"]
