"""Run `python -m simdes` as `simdes`."""

from simdes.cli import main

main()
