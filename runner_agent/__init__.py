"""The program in every instance: parks, takes one lease, supervises one runner, gives the lease back.

Contract: docs/reference/agent.md and docs/reference/lease_protocol.md. On the leased path I use the standard
library only, so that an instance starts fast and small.
"""
