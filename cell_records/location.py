"""Which store a setting names."""

from __future__ import annotations

import re

from cell_records.cloud_storage import PUBLIC_ENDPOINT, CloudStorageStore
from cell_records.errors import BadStore
from cell_records.sqlite import SqliteStore
from cell_records.store import RecordStore

# https://cloud.google.com/storage/docs/buckets#naming; the folder is ours, so it is held to plain words.
_BUCKET = re.compile(
    r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])/(?P<prefix>[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*)/?"
)

FORMS = "sqlite:/var/lib/runner-pool/records.db for one machine, or gs://BUCKET/FOLDER for Google Cloud"


def store_at(location: str, *, endpoint: str = PUBLIC_ENDPOINT, anonymous: bool = False) -> RecordStore:
    """The store that a setting names: `sqlite:/path/records.db`, `sqlite:///path/records.db` or `gs://BUCKET/FOLDER`.

    `endpoint` and `anonymous` are Cloud Storage's, for a stand-in. Opens nothing. Raises BadStore.
    """
    scheme, separator, path = location.partition(":")
    if scheme == "sqlite" and separator and path.strip("/"):
        return SqliteStore("/" + path.lstrip("/") if path.startswith("/") else path)
    found = _BUCKET.fullmatch(location)
    if found is not None:
        return CloudStorageStore(found["bucket"], found["prefix"], endpoint=endpoint, anonymous=anonymous)
    raise BadStore(f"{location!r} does not name a record store. Write {FORMS}.")
