"""A connection that goes on while a server is told to end: it works, and a new one is refused."""

import asyncio

from ..endpoint import Endpoint
from .server_harness import TunnelClient, master_key
from .targets import Target

__all__ = ["at", "opened", "ping", "refuses", "until_refused"]

#: Seconds in which a server that was told to end has closed its listeners.
_PATIENCE = 30.0


def at(port: int) -> Endpoint:
    """``port`` of loopback."""
    return Endpoint("127.0.0.1", port)


async def ping(client: TunnelClient, payload: bytes = b"ping") -> None:
    """Send ``payload`` to a target that echoes. Raises ``ConnectionError`` for another answer."""
    await client.send(payload)
    answer = await client.receive()
    if answer != payload:
        raise ConnectionError(f"{answer!r} where {payload!r} was sent")


async def opened(port: int, target: Target) -> TunnelClient:
    """A connection through the server at ``port`` to ``target``, that works; the caller's to close.

    The server has the key of ``server_harness``'s configurations.
    """
    client = await TunnelClient(at(port), master_key(), target.endpoint).__aenter__()
    try:
        await ping(client)
    except BaseException:
        client.sock.close()
        raise
    return client


async def refuses(port: int) -> bool:
    """Whether nobody listens at ``port``."""
    try:
        async with TunnelClient(at(port), master_key(), at(port)):
            return False
    except ConnectionRefusedError:
        return True


async def until_refused(port: int) -> None:
    """Return when nobody listens at ``port`` any more."""
    async with asyncio.timeout(_PATIENCE):
        while not await refuses(port):
            await asyncio.sleep(0.01)
