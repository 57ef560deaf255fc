"""Where tunnels lead in tests: HTTP, an echo of datagrams, and any protocol that a test brings.

Everything listens on 127.0.0.1 and on ::1, or on the hosts that are named, by one port number.
Bodies are random octets that exist nowhere as a whole: whoever makes them and whoever takes them
both keep a digest.

=====================  ===========================================================================
request                response
=====================  ===========================================================================
GET /octets/N/NAME     N octets, by Content-Length
GET /chunked/N/NAME    N octets, by chunked transfer coding
GET /closed/N/NAME     N octets, and the end of the connection is their end
PUT or POST /NAME      the SHA-256 of the body, in hexadecimal
=====================  ===========================================================================

``X-Connection`` in each response numbers the connections that the origin has accepted.
"""

import hashlib
import itertools
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, cast

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .programs import free_port

__all__ = ["Handler", "Origin", "random_octets"]

#: Serves one connection, which is closed when it returns.
Handler = Callable[[socket.socket], None]

_PIECE = 1 << 18

#: Seconds for a digest, once its body has been asked for.
_PATIENCE = 60


def random_octets(size: int) -> Iterator[bytes]:
    """``size`` octets that nobody has seen before, in pieces."""
    # Four times as fast as asking the kernel for all of them.
    stream = Cipher(algorithms.AES(os.urandom(16)), modes.CTR(os.urandom(16))).encryptor()
    zeros = bytes(_PIECE)
    for left in range(size, 0, -_PIECE):
        yield stream.update(zeros[: min(left, _PIECE)])


class Origin:
    """Serves as long as its block does."""

    def __init__(self, *hosts: str) -> None:
        self._hosts = [(_family(host), host) for host in hosts or ("127.0.0.1", "::1")]
        #: HTTP listens here by TCP, and the echo by UDP.
        self.port = free_port()
        #: What was raised while serving; a peer that goes away raises nothing.
        self.errors: list[BaseException] = []
        self._stack = ExitStack()
        self._connections = itertools.count(1)
        self._digests: dict[str, Future[str]] = {}

    def __enter__(self) -> "Origin":
        for family, host in self._hosts:
            self._listen(family, host, self.port, self._http)
            sock = self._stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            sock.bind((host, self.port))
            thread = threading.Thread(target=_echo, args=(sock,))
            thread.start()
            self._stack.callback(thread.join)
            # A close would not wake the thread.
            self._stack.callback(_end_echo, sock)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def serve(self, handler: Handler) -> int:
        """Serve ``handler`` too; returns the port."""
        port = free_port()
        for family, host in self._hosts:
            self._listen(family, host, port, handler)
        return port

    def digest(self, path: str) -> str:
        """SHA-256 of the body that was sent for ``path``, once it has been."""
        return self._future(path).result(_PATIENCE)

    def _listen(self, family: int, host: str, port: int, handler: Handler) -> None:
        server = self._stack.enter_context(_Server(family, host, port, handler, self.errors))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(server.shutdown)

    def _http(self, sock: socket.socket) -> None:
        _Http(sock, next(self._connections), self._sent)

    def _sent(self, path: str, digest: str) -> None:
        self._future(path).set_result(digest)

    def _future(self, path: str) -> Future[str]:
        return self._digests.setdefault(path, Future())


def _family(host: str) -> int:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(
        self, family: int, host: str, port: int, handler: Handler, errors: list[BaseException]
    ) -> None:
        self.address_family = family
        self._handler = handler
        self._errors = errors
        super().__init__((host, port), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        try:
            self._handler(request)
        except ConnectionError:
            pass
        except BaseException as error:
            self._errors.append(error)
            raise


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, sock: socket.socket, number: int, sent: Callable[[str, str], None]) -> None:
        self._number = number
        self._sent = sent
        # Serves the whole connection; the server is for handlers that ask it something.
        super().__init__(sock, sock.getpeername(), cast(Any, None))

    def do_GET(self) -> None:
        _, framing, size, _ = self.path.split("/")
        self.send_response(200)
        self.send_header("X-Connection", str(self._number))
        if framing == "octets":
            self.send_header("Content-Length", size)
        elif framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        digest = hashlib.sha256()
        for piece in random_octets(int(size)):
            digest.update(piece)
            self.wfile.write(
                b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece
            )
        if framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")
        self._sent(self.path, digest.hexdigest())

    def do_PUT(self) -> None:
        digest = hashlib.sha256()
        for piece in self._body():
            digest.update(piece)
        answer = digest.hexdigest().encode()
        self.send_response(200)
        self.send_header("X-Connection", str(self._number))
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PUT  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") != "chunked":
            yield from self._exactly(int(self.headers["Content-Length"]))
            return
        while size := int(self.rfile.readline(), 16):
            yield from self._exactly(size)
            self.rfile.readline()
        self.rfile.readline()

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.rfile.read(min(size, _PIECE))
            if not piece:
                raise EOFError(f"{size} octets of a body are missing")
            size -= len(piece)
            yield piece


def _echo(sock: socket.socket) -> None:
    own = sock.getsockname()
    while True:
        data, client = sock.recvfrom(1 << 16)
        if client == own:
            return
        sock.sendto(data, client)


def _end_echo(sock: socket.socket) -> None:
    sock.sendto(b"", sock.getsockname())
