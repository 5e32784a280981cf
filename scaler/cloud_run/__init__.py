"""Cloud Run's worker pools: list them, read one, change one count, follow the operation. Nothing else is ever
written.

`wire` turns JSON into values (pure), `client` sends. Neither knows records, gates or leases.
"""
