"""RSA keys, some made ahead, so that a burst of registrations does not wait for prime numbers.

Making a key takes about 35 ms of a core and leaves the interpreter's lock alone, so it happens in a thread.
"""

import asyncio
from collections import deque
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

KEY_SIZE: Final = 2048
STOCK: Final = 8


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_SIZE)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode("ascii")
    )


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """In the form in which GitHub hands out the key of an App."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode("ascii")


class KeyStock:
    """Fresh keys; each is given out once."""

    def __init__(self, *, size: int = STOCK) -> None:
        self._size = size
        self._ready: deque[rsa.RSAPrivateKey] = deque()
        self._taken = asyncio.Event()

    async def take(self) -> rsa.RSAPrivateKey:
        """One from the stock, or a new one when the stock is empty."""
        self._taken.set()
        return self._ready.popleft() if self._ready else await asyncio.to_thread(new_key)

    async def run(self) -> None:
        """Keep the stock full until cancelled."""
        while True:
            self._taken.clear()
            while len(self._ready) < self._size:
                self._ready.append(await asyncio.to_thread(new_key))
            await self._taken.wait()
