"""Sockets that another process opened for us: the service manager's, or our predecessor's.

The service manager opens the sockets of a ``.socket`` unit before the service runs, and keeps them
open while it is restarted, so that whoever comes meanwhile waits in the accept queue. A predecessor
is a process of this program that hands over what it listens on: see ``handover``. Both leave
descriptors and say so in the environment.

A socket is known by its address, and not by its place or its name: what is bound to an address that
the configuration names is taken for it. The service manager's that nobody wants are an error,
because somebody would wait at them for ever.
"""

import os
import socket
from collections.abc import MutableMapping, Sequence

from ..endpoint import Endpoint
from ..errors import ConfigError

__all__ = ["HANDOVER_VARIABLE", "Heritage", "inherited"]

#: ``PID:FD,FD,…``: the predecessor, and the descriptors that it left.
HANDOVER_VARIABLE = "ANNOTATED_SHADOWSOCKS_HANDOVER"

#: [man sd_listen_fds(3)] the first descriptor that a service manager passes
_FIRST = 3

_TYPES = {socket.SOCK_STREAM: "TCP", socket.SOCK_DGRAM: "UDP"}


class Heritage:
    """What was left to us; ``predecessor`` is the process that waits for us to take over."""

    def __init__(
        self, sockets: Sequence[tuple[str, socket.socket]] = (), predecessor: int | None = None
    ) -> None:
        self.predecessor = predecessor
        self._left = list(sockets)

    def adopt(self, family: int, kind: int, address: tuple[str, int]) -> socket.socket | None:
        """The socket that is bound there, once; None where none was left."""
        for name, sock in self._left:
            if sock.type == kind and _serves(sock, family, address):
                self._left.remove((name, sock))
                return sock
        return None

    def settle(self) -> None:
        """Nothing more is wanted. Raises ``ConfigError`` for what a service manager left over."""
        left, self._left = self._left, []
        places = [
            f"{name} ({_described(sock)})" if name else _described(sock) for name, sock in left
        ]
        for _, sock in left:
            sock.close()
        if left and self.predecessor is None:
            raise ConfigError(
                "socket activation",
                f"nothing in the configuration listens on {places[0]}",
                "name that address in the configuration, or take it out of the .socket unit",
            )

    def describe(self) -> str:
        """The addresses, for the log; empty where nothing was left."""
        return ", ".join(_described(sock) for _, sock in self._left)


def inherited(environment: MutableMapping[str, str], pid: int, parent: int) -> Heritage:
    """What the environment says was left to process ``pid``, a child of ``parent``.

    The environment says it no longer then, to no child of ours. Raises ``ConfigError``.
    """
    handed = environment.pop(HANDOVER_VARIABLE, "")
    count, names, owner = (
        environment.pop(name, "") for name in ("LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID")
    )
    if handed:
        return _handed_over(handed, parent)
    # [man sd_listen_fds(3)] for another process, that passed its environment on to us
    if not count or owner != str(pid):
        return Heritage()
    try:
        descriptors = range(_FIRST, _FIRST + int(count))
    except ValueError:
        raise _unusable("LISTEN_FDS", f"{count!r} is no number") from None
    named = names.split(":") if names else []
    found = []
    for number, descriptor in enumerate(descriptors):
        name = named[number] if number < len(named) else ""
        found.append((name, _socket(descriptor, name or f"descriptor {descriptor}")))
    return Heritage(found)


def _handed_over(text: str, parent: int) -> Heritage:
    owner, _, descriptors = text.partition(":")
    if owner != str(parent):
        return Heritage()
    try:
        numbers = [int(word) for word in descriptors.split(",") if word]
    except ValueError:
        raise _unusable(HANDOVER_VARIABLE, f"{text!r} cannot be read") from None
    return Heritage([("", _socket(number, HANDOVER_VARIABLE)) for number in numbers], parent)


def _socket(descriptor: int, place: str) -> socket.socket:
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise _unusable(place, f"descriptor {descriptor}: {error.strerror}") from error
    os.set_inheritable(descriptor, False)
    sock.setblocking(False)
    listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type not in _TYPES:
        problem = "neither TCP nor UDP", "write ListenStream= or ListenDatagram="
    elif sock.type == socket.SOCK_STREAM and not listens:
        problem = "a connection, and no listener", "write Accept=no in its unit"
    else:
        return sock
    sock.close()
    raise _unusable(place, *problem)


def _serves(sock: socket.socket, family: int, address: tuple[str, int]) -> bool:
    bound = sock.getsockname()[:2]
    if sock.family == family:
        return bool(bound == address)
    # ListenStream=8388 makes one socket for IPv6 and IPv4, which serves 0.0.0.0 as well.
    every = sock.family == socket.AF_INET6 and bound == ("::", address[1])
    return (
        every
        and address[0] == "0.0.0.0"
        and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    )


def _described(sock: socket.socket) -> str:
    return f"{Endpoint(*sock.getsockname()[:2])} {_TYPES[sock.type]}"


def _unusable(place: str, problem: str, remedy: str = "") -> ConfigError:
    return ConfigError(f"socket activation: {place}", problem, remedy)
