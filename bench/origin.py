"""The origin of the measurements: ``python -m bench.origin PORT``.

One octet says what the client wants, eight say how much of it::

    D n   n octets down          U n   n octets up, then one down
    P 0   four octets            E 0   whatever comes is sent back

Then it waits until the client ends.
"""

import socket
import sys

from annotated_shadowsocks.system import raise_descriptor_limit

from .flows import READ, WRITE, Flow, Flows, taken

__all__: list[str] = []

_BUFFER = memoryview(bytearray(1 << 18))


def _serve(sock: socket.socket) -> Flow:
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = yield from taken(sock, 9)
        left = int.from_bytes(head[1:], "big")
        if head[:1] == b"D":
            while left:
                yield WRITE
                left -= sock.send(_BUFFER[: min(left, len(_BUFFER))])
        elif head[:1] == b"U":
            while left:
                yield READ
                count = sock.recv_into(_BUFFER)
                if not count:
                    return
                left -= count
            sock.send(b"k")
        elif head[:1] == b"P":
            sock.send(b"pong")
        yield from _echo(sock)
    except (OSError, EOFError):
        pass
    finally:
        sock.close()


def _echo(sock: socket.socket) -> Flow:
    yield READ
    while piece := sock.recv(1 << 16):
        while piece:
            try:
                piece = piece[sock.send(piece) :]
            except BlockingIOError:
                yield WRITE
        yield READ


def _main() -> None:
    raise_descriptor_limit()
    flows = Flows()

    def accept(listener: socket.socket) -> Flow:
        while True:
            yield READ
            try:
                while True:
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    flows.begin(_serve, sock)
            except BlockingIOError:
                pass

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(sys.argv[1])))
        listener.listen(1 << 16)
        listener.setblocking(False)
        flows.begin(accept, listener)
        while True:
            flows.turn(3600)


if __name__ == "__main__":
    _main()
