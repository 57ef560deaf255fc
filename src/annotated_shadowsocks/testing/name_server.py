"""A name server on loopback that does what a script says, bad manners included.

A script is a function from what was asked to the messages to send back, none for silence. Scripts
are made of each other::

    async with NameServer() as server:
        server.scripts["www.example.test"] = wrong_id_first(addresses("192.0.2.1", "2001:db8::1"))
        server.scripts["big.example.test"] = truncated(addresses("192.0.2.2"))
        resolver = Resolver(servers=[server.endpoint])

A name without a script does not exist.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from ..endpoint import Endpoint

__all__ = [
    "Asked",
    "NameServer",
    "Script",
    "addresses",
    "alias",
    "alternating",
    "by_type",
    "garbage_first",
    "nxdomain",
    "refusal",
    "silence",
    "truncated",
    "wrong_id_first",
    "wrong_question_first",
]


@dataclass(frozen=True)
class Asked:
    """One query as it arrived."""

    message: dns.message.QueryMessage
    transport: str  #: ``udp`` or ``tcp``
    client: tuple[str, int]

    @property
    def name(self) -> str:
        """The name without the final dot, in lower case."""
        return self.message.question[0].name.to_text(omit_final_dot=True).lower()

    @property
    def rdtype(self) -> str:
        """``A``, ``AAAA`` …"""
        return dns.rdatatype.to_text(self.message.question[0].rdtype)

    def response(self, rcode: str = "NOERROR") -> dns.message.QueryMessage:
        """An empty response that matches."""
        made = dns.message.make_response(self.message, recursion_available=True)
        message = cast(dns.message.QueryMessage, made)
        message.set_rcode(dns.rcode.from_text(rcode))
        return message


Script = Callable[[Asked], list[bytes]]


def addresses(*literals: str, ttl: int = 60) -> Script:
    """These addresses; no data of the other type. A name with none has no data at all."""
    return alias(literals=literals, ttl=ttl)


def alias(*targets: str, literals: tuple[str, ...] = (), ttl: int = 60) -> Script:
    """CNAME records from the name through ``targets``, and the addresses of the last."""

    def script(asked: Asked) -> list[bytes]:
        response = asked.response()
        chain = [f"{name}." for name in (asked.name, *targets)]
        for owner, target in pairwise(chain):
            response.answer.append(dns.rrset.from_text(owner, ttl, "IN", "CNAME", target))
        fitting = [each for each in literals if (":" in each) == (asked.rdtype == "AAAA")]
        if fitting and asked.rdtype in ("A", "AAAA"):
            records = dns.rrset.from_text_list(chain[-1], ttl, "IN", asked.rdtype, fitting)
            response.answer.append(records)
        return [response.to_wire(max_size=65535)]

    return script


def nxdomain(ttl: int = 60) -> Script:
    """The name does not exist, and may be remembered not to for ``ttl`` seconds."""

    def script(asked: Asked) -> list[bytes]:
        response = asked.response("NXDOMAIN")
        soa = f"ns.test. root.test. 1 60 60 60 {ttl}"
        response.authority.append(dns.rrset.from_text(f"{asked.name}.", ttl, "IN", "SOA", soa))
        return [response.to_wire()]

    return script


def refusal(rcode: str) -> Script:
    """An error code: ``SERVFAIL``, ``REFUSED`` …"""
    return lambda asked: [asked.response(rcode).to_wire()]


def silence(asked: Asked) -> list[bytes]:
    """No response."""
    return []


def truncated(then: Script) -> Script:
    """By UDP an empty message with TC set; by TCP what ``then`` says."""

    def script(asked: Asked) -> list[bytes]:
        if asked.transport == "tcp":
            return then(asked)
        response = asked.response()
        response.flags |= dns.flags.TC
        return [response.to_wire()]

    return script


def alternating(*scripts: Script) -> Script:
    """The first script for the first query, the second for the second, and so on in a circle."""
    count = 0

    def script(asked: Asked) -> list[bytes]:
        nonlocal count
        count += 1
        return scripts[(count - 1) % len(scripts)](asked)

    return script


def by_type(**scripts: Script) -> Script:
    """A script for each record type; silence for others."""
    return lambda asked: scripts.get(asked.rdtype, silence)(asked)


def garbage_first(then: Script, garbage: bytes = b"\xff" * 40) -> Script:
    """Octets that are no message, then what ``then`` says."""
    return lambda asked: [garbage, *then(asked)]


def wrong_id_first(then: Script) -> Script:
    """A forged address under another id, then what ``then`` says."""
    forged = addresses("203.0.113.66", "2001:db8::66")

    def script(asked: Asked) -> list[bytes]:
        wrong = [bytes([m[0] ^ 0xFF]) + m[1:] for m in forged(asked)]
        return wrong + then(asked)

    return script


def wrong_question_first(then: Script) -> Script:
    """The right id, but an answer to a question about another name; then what ``then`` says."""

    def script(asked: Asked) -> list[bytes]:
        other = dns.message.make_query("other.test", asked.rdtype, id=asked.message.id)
        client = asked.client
        about_other = Asked(other, asked.transport, client)
        return addresses("203.0.113.66", "2001:db8::66")(about_other) + then(asked)

    return script


class NameServer:
    """Answers by ``scripts`` on one port of 127.0.0.1, by UDP and TCP; keeps what was ``asked``."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {}
        self.asked: list[Asked] = []
        self.endpoint = Endpoint("127.0.0.1", 0)
        self._connections: list[asyncio.Transport] = []

    async def __aenter__(self) -> "NameServer":
        loop = asyncio.get_running_loop()
        udp, tcp = _same_port()
        self.endpoint = Endpoint(*udp.getsockname())
        self._closed = loop.create_future()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(self, self._closed), sock=udp
        )
        self._server = await loop.create_server(lambda: _Tcp(self, self._connections), sock=tcp)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()
        self._server.close()
        for connection in self._connections:
            connection.abort()
        await self._server.wait_closed()
        # Only then is the port free, and whoever asks is told so.
        await self._closed

    def questions(self) -> list[tuple[str, str, str]]:
        """Name, type and transport of each query so far."""
        return [(asked.name, asked.rdtype, asked.transport) for asked in self.asked]

    def send(self, asked: Asked, script: Script) -> None:
        """Respond by ``script`` to a query of earlier, which came by UDP and met ``silence``."""
        for wire in script(asked):
            self._transport.sendto(wire, asked.client)

    def answer(self, wire: bytes, transport: str, client: tuple[str, int]) -> list[bytes]:
        """What the scripts say to one query."""
        message = cast(dns.message.QueryMessage, dns.message.from_wire(wire))
        asked = Asked(message, transport, client)
        self.asked.append(asked)
        return self.scripts.get(asked.name, nxdomain())(asked)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer, closed: asyncio.Future[None]) -> None:
        self._server = server
        self._closed = closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for wire in self._server.answer(data, "udp", addr):
            self._transport.sendto(wire, addr)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set_result(None)


class _Tcp(asyncio.Protocol):
    def __init__(self, server: NameServer, connections: list[asyncio.Transport]) -> None:
        self._server = server
        self._connections = connections
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.append(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        client = self._transport.get_extra_info("peername")
        while len(self._buffer) >= (end := 2 + int.from_bytes(self._buffer[:2], "big")) > 2:
            wire, self._buffer = self._buffer[2:end], self._buffer[end:]
            for answer in self._server.answer(wire, "tcp", client):
                self._transport.write(len(answer).to_bytes(2, "big") + answer)


def _same_port() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket bound to one port, which must be free for both."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            udp.bind(("127.0.0.1", 0))
            tcp.bind(udp.getsockname())
        except OSError as error:
            udp.close()
            tcp.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            udp.setblocking(False)
            tcp.setblocking(False)
            return udp, tcp
