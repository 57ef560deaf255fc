"""A very small HTTP server for a few read-only pages, which nobody can use to hurt anybody.

It reads one request of at most ``_LARGEST`` octets in at most ``_PATIENCE`` seconds, answers GET
and HEAD, and closes; a request's body is never read. A few clients are served at a time and more
are turned away, so that whoever opens connections by the thousand keeps nothing but these pages
busy.

A browser on this host can be led to a loopback address by a name that resolves to it. So where no
token is asked for, the name that was asked for must be this host's own.
"""

import asyncio
import hmac
import http
import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..config.secret import Secret
from ..endpoint import Endpoint
from ..errors import ConfigError

__all__ = ["Page", "Pages", "respond"]

_LARGEST = 8192
_PATIENCE = 5.0
_CLIENTS = 16


class Page(NamedTuple):
    """What is answered."""

    status: int
    body: str
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[str, ...] = ()


#: The pages by path; each is made when it is asked for.
Content = Mapping[str, Callable[[], Page]]


class Pages:
    """Serves ``content`` to whoever sends ``token``, or to anybody where that is None."""

    def __init__(self, content: Content, token: Secret | None) -> None:
        self._content = content
        self._token = token
        self._servers: list[asyncio.Server] = []
        self._clients = 0

    async def serve(self, listeners: list[socket.socket]) -> None:
        """Answer at ``listeners`` until ``close``."""
        for sock in listeners:
            server = await asyncio.start_server(self._client, sock=sock, limit=_LARGEST, backlog=16)
            self._servers.append(server)

    def close(self) -> None:
        """Answer no more."""
        for server in self._servers:
            server.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._clients >= _CLIENTS:
            writer.transport.abort()
            return
        self._clients += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                writer.write(await self._answer(reader))
                writer.write_eof()
                await writer.drain()
                # A close before the client's would take back what it has not read.
                await reader.read(1)
        except (TimeoutError, EOFError, OSError):
            pass
        finally:
            self._clients -= 1
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            # [RFC9112 §2.1] the header section ends with an empty line
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _octets(_refusal(http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), True)
        return respond(head, self._content, self._token)


def respond(head: bytes, content: Content, token: Secret | None) -> bytes:
    """The whole answer to a request's head."""
    line, *fields = head.decode("latin-1").split("\r\n")
    words = line.split(" ")
    # [RFC9112 §3] method, target, version
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        return _octets(_refusal(http.HTTPStatus.BAD_REQUEST), True)
    method, target, _ = words
    headers = {name.strip().lower(): value.strip() for name, _, value in _split(fields)}
    page = _page(method, target.partition("?")[0], headers, content, token)
    return _octets(page, method != "HEAD")


def _page(
    method: str, path: str, headers: Mapping[str, str], content: Content, token: Secret | None
) -> Page:
    if token is not None:
        # [RFC6750 §2.1] compared in a time that does not tell how much of it is right
        sent = headers.get("authorization", "").encode("latin-1")
        if not hmac.compare_digest(sent, b"Bearer " + token.reveal().encode()):
            return _refusal(http.HTTPStatus.UNAUTHORIZED, "WWW-Authenticate: Bearer")
    elif not _is_own_name(headers.get("host", "")):
        return _refusal(http.HTTPStatus.MISDIRECTED_REQUEST)
    if method not in ("GET", "HEAD"):
        return _refusal(http.HTTPStatus.METHOD_NOT_ALLOWED, "Allow: GET, HEAD")
    page = content.get(path)
    return page() if page is not None else _refusal(http.HTTPStatus.NOT_FOUND)


def _is_own_name(host: str) -> bool:
    # [RFC9112 §3.2] version 1.0 knows no Host, and no browser speaks it
    try:
        name = Endpoint.parse(host, default_port=0) if host else Endpoint("localhost", 0)
    except ConfigError:
        return False
    return name.address is not None or name.host.lower() == "localhost"


def _split(fields: list[str]) -> list[tuple[str, str, str]]:
    return [field.partition(":") for field in fields]


def _refusal(status: http.HTTPStatus, *headers: str) -> Page:
    return Page(status, f"{status.value} {status.phrase}\n", headers=headers)


def _octets(page: Page, with_body: bool) -> bytes:
    body = page.body.encode()
    lines = (
        f"HTTP/1.1 {int(page.status)} {http.HTTPStatus(page.status).phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "Cache-Control: no-store",
        *page.headers,
    )
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head + body if with_body else head
