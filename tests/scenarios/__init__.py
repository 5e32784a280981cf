"""What a day brings: the real programs over real sockets, and thousands of events.

Needs everything on this machine and takes minutes, so this room is not one of `make test`; run it by its name:
`python -m pytest tests/scenarios`.
"""
