"""The JIT configuration: the text of generate-jitconfig -> settings and key. Pure.

base64 of a JSON object of base64 files: `.runner`, `.credentials`, `.credentials_rsaparams`
(https://github.com/actions/runner/blob/main/src/Runner.Common/ConfigurationStore.cs).
"""

import base64
import json
from typing import Any, NamedTuple, Self

from emulator.runner.errors import BadConfigurationError


class RsaKey(NamedTuple):
    """A private key in the parts .NET stores. Secret: its repr shows none of them."""

    modulus: int
    d: int
    p: int
    q: int
    dp: int
    dq: int
    inverse_q: int

    def __repr__(self) -> str:
        return "RsaKey(***)"


class JitConfiguration(NamedTuple):
    """All that one single-use registration needs."""

    agent_id: int
    agent_name: str
    work_folder: str
    server_url: str  # ends in a slash
    disable_update: bool
    client_id: str
    token_url: str
    audience: str
    key: RsaKey
    files: dict[str, bytes]  # what the real runner writes into its folder at its start

    def __repr__(self) -> str:
        return f"JitConfiguration(agent_name={self.agent_name!r}, ***)"

    @classmethod
    def decoded(cls, encoded: str) -> Self:
        """Reads the text. Raises BadConfigurationError, whose message holds nothing of the text."""
        try:
            files = json.loads(base64.b64decode(encoded, validate=True))
            runner = _file(files, ".runner")
            credentials = _file(files, ".credentials")
            data = {str(key).lower(): value for key, value in credentials["data"].items()}
            parameters = _file(files, ".credentials_rsaparams")
            token_url = data.get("authorizationurlv2") or data["authorizationurl"]
            return cls(
                agent_id=int(runner["agentid"]),
                agent_name=str(runner["agentname"]),
                work_folder=str(runner.get("workfolder") or "_work"),
                server_url=str(runner["serverurlv2"]).rstrip("/") + "/",
                disable_update=str(runner.get("disableupdate", "false")).lower() == "true",
                client_id=str(data["clientid"]),
                token_url=str(token_url),
                audience=str(data.get("oauthendpointurl") or token_url),
                key=RsaKey(
                    *(
                        int.from_bytes(base64.b64decode(parameters[name], validate=True), "big")
                        for name in ("modulus", "d", "p", "q", "dp", "dq", "inverseq")
                    )
                ),
                files={
                    str(name): base64.b64decode(content, validate=True) for name, content in files.items()
                },
            )
        except KeyError as error:
            raise BadConfigurationError(f"The JIT configuration lacks {error}.") from None
        except (ValueError, TypeError, AttributeError, RecursionError):
            problem = "The JIT configuration is not the base64 text that generate-jitconfig answers."
            raise BadConfigurationError(problem) from None


def _file(files: Any, name: str) -> dict[str, Any]:
    content = json.loads(base64.b64decode(files[name], validate=True))
    return {str(key).lower(): value for key, value in content.items()}
