"""A packet relay that a test has in its hands: its loop, its names, its clients and its target.

::

    client = ground.client()
    ground.send(client, b"question")
    ground.answer(b"answer", ground.source_of(b"question"))
    assert client.recv(100) == address.encode(place(ground.target)) + b"answer"

The sockets are real and on loopback. The loop turns, and time passes, when the test says so.
"""

import socket
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from ..endpoint import Endpoint
from ..errors import PolicyRejected, RemoteProtocolError, ResolveError
from ..relay.packet_outlet import Outside
from ..relay.packet_relay import Address, PacketLimits, PacketRelay
from ..relay.poller import EpollPoller, LoopPoller, Poller
from ..wire import address
from .manual_loop import ManualLoop

__all__ = ["AddressInFront", "Count", "FailingSocket", "PacketGround", "place", "silent", "udp"]

_Looked = Callable[[list[str] | ResolveError], None]

#: Seconds for a datagram to cross loopback.
_PATIENCE = 30


class AddressInFront:
    """Datagrams that begin with where they go, or where they come from, and are not sealed.

    One whose data is ``{name}...`` is of the flow of that name, wherever it comes from. One that
    is ``crash`` is a bug of ours, and an answer ``forged`` is somebody's. See ``PacketFront``.
    """

    def __init__(self) -> None:
        #: Whether clients are admitted.
        self.served = True
        #: The flows that have been closed.
        self.ended: list[Hashable] = []

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[Hashable, Endpoint, memoryview]:
        """Take the address off."""
        if not self.served:
            raise PolicyRejected(client[0], "not served")
        if bytes(datagram[:5]) == b"crash":
            raise ZeroDivisionError("boom")
        target, end = address.decode(datagram)
        size = len(datagram) - end
        out[:size] = datagram[end:]
        data = bytes(datagram[end:])
        flow = data[: data.index(b"}")] if data.startswith(b"{") else client
        return flow, target, out[:size]

    def outward(
        self, flow: Hashable, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        """Put the address in front."""
        if bytes(datagram) == b"forged":
            raise RemoteProtocolError("forged")
        whole = address.encode(source) + datagram
        out[: len(whole)] = whole
        return out[: len(whole)]

    def owner(self, flow: Hashable, client: Address) -> Hashable:
        """The client's host."""
        return client[0]

    def user(self, flow: Hashable) -> str:
        """The name that a flow has, if it has one."""
        return flow.decode().strip("{") if isinstance(flow, bytes) else ""

    def closed(self, flow: Hashable) -> None:
        """Note it."""
        self.ended.append(flow)


@dataclass
class Count:
    """An account."""

    packets_from_client: int = 0
    packets_from_targets: int = 0
    from_client: int = 0
    from_targets: int = 0


class FailingSocket(socket.socket):
    """A datagram socket that raises what ``script`` has next instead of its work."""

    script: list[OSError]

    def _fail(self) -> None:
        if self.script:
            raise self.script.pop(0)

    def sendto(self, *args: Any) -> int:
        """As of any socket, behind the script."""
        self._fail()
        return super().sendto(*args)

    def recvfrom_into(self, *args: Any) -> Any:
        """As of any socket, behind the script."""
        self._fail()
        return super().recvfrom_into(*args)


def udp(host: str = "127.0.0.1") -> socket.socket:
    """A bound datagram socket that waits, but not for ever."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(_PATIENCE)
    return sock


def place(sock: socket.socket) -> Endpoint:
    """Where ``sock`` is bound."""
    return Endpoint(*sock.getsockname()[:2])


def silent(sock: socket.socket) -> bool:
    """Whether nothing has come to ``sock``."""
    sock.setblocking(False)
    try:
        sock.recv(1)
    except BlockingIOError:
        return True
    finally:
        sock.settimeout(_PATIENCE)
    return False


class PacketGround:
    """A relay on two sockets, ``sock`` and ``second``, with a ``target`` and a ``front``."""

    def __init__(self, new_poller: type[EpollPoller | LoopPoller]) -> None:
        self.loop = ManualLoop()
        self.poller: Poller = new_poller(self.loop)
        self.sock = FailingSocket(fileno=udp().detach())
        self.sock.setblocking(False)
        self.sock.script = []
        self.target = udp()
        self.front = AddressInFront()
        self.second = udp("127.0.0.3")
        self.second.setblocking(False)
        #: Who waits for names in ``.test``, by name; those that were looked up; those given up.
        self.looked: dict[str, _Looked] = {}
        self.lookups: list[str] = []
        self.cancelled: list[str] = []
        #: The one literal that may not be sent to.
        self.forbidden = ""
        #: What the relay held against clients: the error and the client's host.
        self.failures: list[tuple[type, str]] = []
        self._opened = [self.sock, self.second, self.target]
        self.relay = self.serve(PacketLimits())

    def serve(self, limits: PacketLimits, *, strict: bool = False) -> PacketRelay[Hashable]:
        """Another relay on the same sockets, with these limits."""
        self.accounts: dict[str, Count] = {}
        self.relay = PacketRelay(
            Outside(self.poller, self._lookup, self._check, strict),
            self.loop,
            [self.sock, self.second],
            self.front,
            limits,
            lambda error, client: self.failures.append((type(error), client[0])),
            account_of=lambda user: self.accounts.setdefault(user, Count()),
        )
        return self.relay

    def client(self, host: str = "127.0.0.1") -> socket.socket:
        """A client's socket."""
        self._opened.append(udp(host))
        return self._opened[-1]

    def send(
        self,
        client: socket.socket,
        data: bytes,
        target: Endpoint | None = None,
        *,
        run: bool = True,
    ) -> None:
        """Send ``data`` to the relay, for ``target``; without ``run`` the loop stands still."""
        head = address.encode(target or place(self.target))
        client.sendto(head + data, self.sock.getsockname())
        if run:
            self.loop.settle()

    def source_of(self, data: bytes) -> Any:
        """Who sent the next datagram that the target has, which must be ``data``."""
        datagram, source = self.target.recvfrom(65536)
        assert datagram == data
        return source

    def answer(self, data: bytes, to: Any) -> None:
        """Send ``data`` from the target."""
        self.target.sendto(data, to)
        self.loop.settle()

    def close(self) -> None:
        """Close all but the relay, which is to be closed before."""
        self.poller.stop()
        for sock in self._opened:
            sock.close()

    def _lookup(self, host: str, done: _Looked) -> Callable[[], object]:
        """Literals at once; a name when the test says so."""
        self.lookups.append(host)
        if host.endswith(".test"):
            self.looked[host] = done
        else:
            done([host])
        return lambda: self.cancelled.append(host)

    def _check(self, literal: str) -> None:
        if literal == self.forbidden:
            raise PolicyRejected(literal, "forbidden")
