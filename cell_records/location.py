"""Which store a setting names."""

from __future__ import annotations

from cell_records.errors import BadStore
from cell_records.sqlite import SqliteStore
from cell_records.store import RecordStore


def store_at(location: str) -> RecordStore:
    """The store that a setting names: `sqlite:/path/records.db` or `sqlite:///path/records.db`. Raises
    BadStore.
    """
    scheme, separator, path = location.partition(":")
    if scheme == "sqlite" and separator and path.strip("/"):
        return SqliteStore("/" + path.lstrip("/") if path.startswith("/") else path)
    raise BadStore(
        f"{location!r} does not name a record store. Write sqlite: and a path, "
        "for example sqlite:/var/lib/runner-pool/records.db."
    )
