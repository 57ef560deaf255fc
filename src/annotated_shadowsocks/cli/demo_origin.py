"""The origin of the demonstration: a few lines of HTTP, and a UDP echo, on loopback."""

import asyncio
import hashlib
import os
from types import TracebackType
from typing import cast

from ..endpoint import Endpoint

__all__ = ["Origin"]

_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Through the tunnel</title></head>
<body style="font: 1.1em/1.5 system-ui, sans-serif; margin: 4em auto; max-width: 36em">
<h1>This page came through the tunnel</h1>
<p>Your program asked sslocal in SOCKS5, sslocal asked ssserver in Shadowsocks, and ssserver asked
the little web server that wrote this. Every octet between the two was sealed.</p>
<p><a href="/random">/random</a> is a file of random octets; its SHA-256 stands in the
<code>ETag</code> header.</p>
</body></html>
"""


class Origin:
    """Serves a page at ``/`` and ``size`` random octets at ``/random``; echoes datagrams."""

    def __init__(self, size: int) -> None:
        self._random = os.urandom(size)
        #: SHA-256 of what ``/random`` serves, in hexadecimal.
        self.digest = hashlib.sha256(self._random).hexdigest()
        self.http = self.echo = Endpoint("", 0)

    async def __aenter__(self) -> "Origin":
        """Start serving on free ports; ``http`` and ``echo`` say which."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.http = Endpoint(*self._server.sockets[0].getsockname())
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            _Echo, ("127.0.0.1", 0)
        )
        self.echo = Endpoint(*self._transport.get_extra_info("sockname"))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self._transport.close()
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1]
            if path == b"/random":
                status, kind, body = "200 OK", "application/octet-stream", self._random
            elif path == b"/":
                status, kind, body = "200 OK", "text/html", _PAGE
            else:
                status, kind, body = "404 Not Found", "text/plain", b"not here\n"
            headers = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            if path == b"/random":
                headers += f'ETag: "{self.digest}"\r\n'
            writer.write(f"HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError, IndexError):
            # Whatever a browser does to its own demonstration is its own affair.
            pass
        finally:
            writer.close()


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self._transport.sendto(data, address)
