"""PURE: the body of an upload that carries metadata and content at once. Must not know objects.

https://cloud.google.com/storage/docs/uploading-objects-from-memory: multipart/related, JSON first, then the bytes.
"""

from dataclasses import dataclass, field
from email.message import Message
from json import JSONDecodeError, loads
from typing import Any


class BadMultipartError(ValueError):
    """The body is not what its content type says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """`metadata` as the client wrote it; `content_type` of the second part."""

    metadata: dict[str, Any]
    content_type: str
    content: bytes = field(repr=False)


def parsed_upload(body: bytes, *, content_type: str) -> Upload:
    """The two parts. Raises BadMultipartError."""
    boundary = _typed(content_type).get_boundary()
    if not boundary:
        raise BadMultipartError("Missing the boundary of a multipart body.")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(pieces) != 4 or not pieces[3].startswith(b"--"):
        raise BadMultipartError("A multipart upload has exactly two parts.")
    (_, document), (kind, content) = _part(pieces[1]), _part(pieces[2])
    try:
        metadata = loads(document)
    except (JSONDecodeError, UnicodeDecodeError):
        raise BadMultipartError("Parse Error") from None
    if not isinstance(metadata, dict):
        raise BadMultipartError("The metadata must be an object.")
    return Upload(metadata=metadata, content_type=kind, content=content)


def _part(piece: bytes) -> tuple[str, bytes]:
    """Content type and content of what stands between two boundaries."""
    head, separator, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise BadMultipartError("A part has no end of its headers.")
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.strip(), content
    return "application/octet-stream", content


def _typed(content_type: str) -> Message:
    message = Message()
    message["Content-Type"] = content_type
    return message
