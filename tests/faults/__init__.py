"""Room: everything on this machine, for half an hour. A burst under each fault that the stand-ins know, and under mixtures.

`make test-faults` runs the whole grid and prints its table; `python -m tests.faults --help` tells how to run a part of it.
A short selection is in `tests/stories/test_fault_grid.py`, so that every change meets it.
"""
