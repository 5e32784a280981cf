"""The just-in-time configuration of a runner in the format the real runner reads. Pure.

base64 of a JSON object of three files, each in base64 again; the runner writes them into its folder at its start:
https://github.com/actions/runner/blob/main/src/Runner.Listener/Runner.cs
The fields: ConfigurationStore.cs, OAuthCredential.cs and RSAFileKeyManager.cs of the same repository.
"""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from emulator.github.runners import Registration


def encoded_jit_configuration(
    registration: Registration, *, key: RSAPrivateKey, broker_url: str, token_url: str
) -> str:
    """What generate-jitconfig answers as `encoded_jit_config`. It holds the runner's private key."""
    runner = {
        "AgentId": registration.id,
        "AgentName": registration.name,
        "DisableUpdate": True,
        "Ephemeral": True,
        "PoolId": registration.group.id,
        "PoolName": registration.group.name,
        "ServerUrl": broker_url,
        "ServerUrlV2": broker_url,
        "UseV2Flow": True,
        "WorkFolder": registration.work_folder,
    }
    credentials = {
        "Scheme": "OAuth",
        "Data": {
            "clientId": registration.client_id,
            "authorizationUrl": token_url,
            "authorizationUrlV2": token_url,
            "oauthEndpointUrl": token_url,
            # "True" would make the runner sign with PS256 instead of RS256.
            "requireFipsCryptography": "False",
        },
    }
    files = {".runner": runner, ".credentials": credentials, ".credentials_rsaparams": _parameters(key)}
    return _base64(
        json.dumps({name: _base64(json.dumps(content).encode()) for name, content in files.items()}).encode()
    )


def _parameters(key: RSAPrivateKey) -> dict[str, Any]:
    """The key as .NET's RSAParameters: big-endian, each part as long as the modulus or half of it."""
    numbers = key.private_numbers()
    whole = (key.key_size + 7) // 8
    half = (whole + 1) // 2

    def part(value: int, length: int) -> str:
        return _base64(value.to_bytes(length, "big"))

    exponent = numbers.public_numbers.e
    return {
        "d": part(numbers.d, whole),
        "dp": part(numbers.dmp1, half),
        "dq": part(numbers.dmq1, half),
        "exponent": part(exponent, (exponent.bit_length() + 7) // 8),
        "inverseQ": part(numbers.iqmp, half),
        "modulus": part(numbers.public_numbers.n, whole),
        "p": part(numbers.p, half),
        "q": part(numbers.q, half),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
