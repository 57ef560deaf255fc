"""Two hops that do nothing: ``python -m bench.null_relay local PORT NEXT`` and ``server PORT``.

What a tunnel costs that neither encrypts nor watches its clients: the floor. A SOCKS5 client is
answered without being looked at, six octets name the target, and then octets are passed on as they
come, one recv and one send for each readiness. It blocks where others would wait, for its clients
are this benchmark, which answers at once.
"""

import select
import socket
import sys

from annotated_shadowsocks.system import raise_descriptor_limit

__all__: list[str] = []

_BUFFER = memoryview(bytearray(1 << 18))


def _joined(sock: socket.socket, onward: int | None) -> socket.socket:
    """The next socket, once the handshake is over; ``onward`` is the port of the next hop."""
    if onward is None:
        head = sock.recv(6, socket.MSG_WAITALL)
        host, port = socket.inet_ntoa(head[:4]), int.from_bytes(head[4:], "big")
        return _dialled(host, port)
    sock.recv(3, socket.MSG_WAITALL)
    sock.send(b"\x05\x00")
    request = sock.recv(10, socket.MSG_WAITALL)
    far = _dialled("127.0.0.1", onward)
    far.send(request[4:])
    sock.send(b"\x05\x00\x00\x01" + bytes(6))
    return far


def _dialled(host: str, port: int) -> socket.socket:
    far = socket.socket()
    far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    far.connect((host, port))
    return far


def _main() -> None:
    raise_descriptor_limit()
    onward = int(sys.argv[3]) if sys.argv[1] == "local" else None
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(sys.argv[2])))
        listener.listen(1 << 16)
        _relay(listener, onward)


def _relay(listener: socket.socket, onward: int | None) -> None:
    epoll, others = select.epoll(), dict[int, tuple[socket.socket, socket.socket]]()
    epoll.register(listener, select.EPOLLIN)
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                near, _ = listener.accept()
                far = _joined(near, onward)
                for one, other in ((near, far), (far, near)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    others[one.fileno()] = one, other
                    epoll.register(one, select.EPOLLIN)
            elif fd in others:
                one, other = others[fd]
                try:
                    count = one.recv_into(_BUFFER)
                    other.sendall(_BUFFER[:count])
                except OSError:
                    count = 0
                if not count:
                    # One side's end is both sides': no client here half-closes.
                    for sock in others.pop(fd):
                        others.pop(sock.fileno(), None)
                        sock.close()


if __name__ == "__main__":
    _main()
