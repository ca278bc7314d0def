"""A Kubo node for a command: python tests/support/ipfs_node.py -- COMMAND…

Runs COMMAND with SIMDES_IPFS_URL naming a fresh private node, which goes with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.kubo import swarm


def main() -> int:
    """Run the command; its exit code."""
    command = sys.argv[2:] if sys.argv[1:2] == ["--"] else sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder, swarm(Path(folder), 1) as [node]:
        return subprocess.run(
            command, check=False, env={**os.environ, "SIMDES_IPFS_URL": f"ipfs:{node.url}"}
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
