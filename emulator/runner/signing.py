"""RS256: the signature of the runner's client assertion. Pure integer arithmetic.

A cryptography library would take longer to import than the runner takes to start. RFC 8017, section 8.2.1.
"""

import base64
import hashlib
import json
from typing import Any

from emulator.runner.jit_configuration import RsaKey

_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2, note 1


def signed_jwt(claims: dict[str, Any], key: RsaKey) -> str:
    """A JSON Web Token of these claims."""
    header = {"alg": "RS256", "typ": "JWT"}
    text = f"{_base64url(json.dumps(header).encode())}.{_base64url(json.dumps(claims).encode())}"
    return f"{text}.{_base64url(signature(text.encode(), key))}"


def signature(data: bytes, key: RsaKey) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256, by the Chinese remainder theorem."""
    length = (key.modulus.bit_length() + 7) // 8
    digest = _SHA256_PREFIX + hashlib.sha256(data).digest()
    padded = b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest
    number = int.from_bytes(padded, "big")
    low, high = pow(number, key.dq, key.q), pow(number, key.dp, key.p)
    signed = low + key.q * ((key.inverse_q * (high - low)) % key.p)
    return signed.to_bytes(length, "big")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
