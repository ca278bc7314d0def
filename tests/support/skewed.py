"""`simdes` on a machine whose clock is wrong: python skewed.py SECONDS WORDS…

The clock of the whole process is ahead by so many seconds (behind, where negative), from before
anything of SIMDES is loaded.
"""

import sys
import time

_seconds = float(sys.argv.pop(1))
_real, _real_ns = time.time, time.time_ns
time.time = lambda: _real() + _seconds
time.time_ns = lambda: _real_ns() + int(_seconds * 1e9)

from simdes.cli import main  # noqa: E402 - its clock is the one above

if __name__ == "__main__":
    sys.exit(main())
