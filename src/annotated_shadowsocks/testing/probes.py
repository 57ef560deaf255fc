"""What a prober sees of a server: octets, the way of the end, and when it came.

A server that treats all bad handshakes alike gives every ``Probe`` of a class the same
``Reaction``. Times are only told apart as far as a prober behind a real network could, and so far
apart that a busy machine does not blur them: before the deadline, at it, never.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ..endpoint import Endpoint

__all__ = ["PATIENCE", "End", "Probe", "Reaction", "When", "reaction", "reactions"]

#: Seconds after the deadline in which an end may still come, on a machine that is busy.
PATIENCE = 20.0

#: The part of the deadline before which an end is early. Nothing ends early by accident.
_EARLY = 0.9


class End(Enum):
    """How a connection ended, as the prober's socket tells."""

    FIN = "FIN"
    RST = "RST"
    NONE = "none"


class When(Enum):
    """When it ended, counted from the connection."""

    BEFORE_DEADLINE = "before the deadline"
    AT_DEADLINE = "at the deadline"
    NEVER = "never"


@dataclass(frozen=True)
class Reaction:
    """All that a prober learns."""

    octets: int
    end: End
    when: When


@dataclass(frozen=True)
class Probe:
    """``pieces`` sent one by one, ``pause`` seconds apart, and then a FIN where ``fin``."""

    pieces: tuple[bytes, ...] = ()
    pause: float = 0.0
    fin: bool = False


async def reaction(
    server: Endpoint, probe: Probe, deadline: float, patience: float = PATIENCE
) -> Reaction:
    """Try ``probe`` on ``server``, whose handshakes have ``deadline`` seconds.

    An end that has not come ``patience`` seconds later is taken for none.
    """
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        started = time.monotonic()
        await loop.sock_connect(sock, server)
        sending = asyncio.create_task(_send(sock, probe))
        octets = 0
        end = End.NONE
        try:
            async with asyncio.timeout(deadline + patience):
                while data := await loop.sock_recv(sock, 1 << 16):
                    octets += len(data)
            end = End.FIN
        except ConnectionError:
            end = End.RST
        except TimeoutError:
            return Reaction(octets, End.NONE, When.NEVER)
        finally:
            sending.cancel()
            await asyncio.wait([sending])
        early = time.monotonic() - started < deadline * _EARLY
    return Reaction(octets, end, When.BEFORE_DEADLINE if early else When.AT_DEADLINE)


async def reactions(
    server: Endpoint, probes: Mapping[str, Probe], deadline: float, patience: float = PATIENCE
) -> dict[Reaction, list[str]]:
    """Try all ``probes`` at the same time; which of them saw what."""
    found = await asyncio.gather(
        *(reaction(server, probe, deadline, patience) for probe in probes.values())
    )
    seen: dict[Reaction, list[str]] = {}
    for name, one in zip(probes, found, strict=True):
        seen.setdefault(one, []).append(name)
    return seen


async def _send(sock: socket.socket, probe: Probe) -> None:
    loop = asyncio.get_running_loop()
    try:
        for piece in probe.pieces:
            await loop.sock_sendall(sock, piece)
            await asyncio.sleep(probe.pause)
        if probe.fin:
            sock.shutdown(socket.SHUT_WR)
    except OSError:
        # The server has ended it, which the receiving side tells.
        pass
