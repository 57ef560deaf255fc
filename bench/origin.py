"""The origin of the measurements: ``python -m bench.origin PORT``.

One octet says what the client wants, eight say how much of it::

    D n   n octets down          U n   n octets up, then one down
    P 0   four octets, then both close          H 0   four octets, then hold
"""

import socket
import sys
import threading

__all__: list[str] = []

_CHUNK = 1 << 18


def _serve(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        head = b""
        while len(head) < 9:
            received = sock.recv(9 - len(head))
            if not received:
                return
            head += received
        left = int.from_bytes(head[1:], "big")
        if head[:1] == b"D":
            chunk = bytes(_CHUNK)
            while left:
                left -= sock.send(chunk[: min(left, _CHUNK)])
        elif head[:1] == b"U":
            buffer = bytearray(_CHUNK)
            while left:
                count = sock.recv_into(buffer)
                if not count:
                    return
                left -= count
            sock.send(b"k")
        else:
            sock.send(b"pong")
        sock.recv(1)
    except OSError:
        pass
    finally:
        sock.close()


def _main() -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", int(sys.argv[1])))
        listener.listen(4096)
        threading.stack_size(128 * 1024)
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=_serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    _main()
