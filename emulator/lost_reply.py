"""A reply that never arrives: the connection breaks instead. Knows the HTTP server, and nothing of the stand-ins."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class LostReply(Response):
    """Breaks the connection under the request before a byte of the reply is sent.

    ASGI has no word for this, and an application that says nothing is answered for with a 500. `receive` is a method of
    uvicorn's request, which holds the connection; under any other server this raises AttributeError.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        receive.__self__.transport.abort()  # type: ignore[attr-defined]  # see above
        await super().__call__(
            scope, receive, send
        )  # into the void, so that the server sees the request ended
