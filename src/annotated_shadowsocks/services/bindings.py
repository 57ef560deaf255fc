"""The sockets that a configuration listens on: opened before any fork, kept over reloads.

Whoever opens them owns them. Workers share the TCP listeners, so that there is one accept queue
which any of them may serve; of each UDP address every worker has a socket of its own, because the
datagrams of one client must reach the one worker that knows its association, and the kernel's
SO_REUSEPORT hash sees to that. The owner keeps all of them open, so a worker that dies takes no
queued connection with it and moves no client to another worker.
"""

import socket
from collections.abc import Iterable

from ..config.model import Config
from ..endpoint import Endpoint
from ..relay.sockets import SocketOptions, open_stream_listeners, open_udp, somaxconn

__all__ = ["Bindings", "socket_options"]


def socket_options(config: Config) -> SocketOptions:
    """What the configuration wants of each connection's socket."""
    return SocketOptions(config.no_delay, config.keep_alive, config.fast_open)


class Bindings:
    """All listening sockets of one program, by endpoint."""

    def __init__(self, workers: int = 1) -> None:
        self.tcp: dict[Endpoint, list[socket.socket]] = {}
        #: One list of sockets for each worker.
        self.udp: dict[Endpoint, list[list[socket.socket]]] = {}
        self._workers = workers

    def open(self, config: Config) -> None:
        """Open what ``config`` adds.

        Raises ``ListenError`` and changes nothing where one of the new ones cannot be opened.
        """
        tcp, udp = _wanted(config)
        added = Bindings(self._workers)
        try:
            added._open(config, tcp - self.tcp.keys(), udp - self.udp.keys())
        except BaseException:
            added.close()
            raise
        asked = somaxconn() if config.backlog is None else config.backlog
        options = socket_options(config)
        for endpoint in self.tcp.keys() & tcp:
            for sock in self.tcp[endpoint]:
                options.apply_listening(sock, asked)
                # On a socket that listens already this only replaces the limit of its queue.
                sock.listen(asked)
        self.tcp |= added.tcp
        self.udp |= added.udp

    def prune(self, config: Config) -> None:
        """Close what ``config`` does not name.

        Only when nobody watches it any more: a descriptor number that was closed first and given
        up later may be another socket's by then.
        """
        tcp, udp = _wanted(config)
        self._close(self.tcp.keys() - tcp, self.udp.keys() - udp)

    def close(self) -> None:
        """Close all; connections still in an accept queue are reset by the kernel."""
        self._close(set(self.tcp), set(self.udp))

    def _open(self, config: Config, tcp: set[Endpoint], udp: set[Endpoint]) -> None:
        for endpoint in tcp:
            self.tcp[endpoint] = open_stream_listeners(
                endpoint, config.backlog, socket_options(config)
            )
        for endpoint in udp:
            self.udp[endpoint] = []
            for _ in range(self._workers):
                self.udp[endpoint].append(open_udp(endpoint, share=self._workers > 1))

    def _close(self, tcp: set[Endpoint], udp: set[Endpoint]) -> None:
        for endpoint in tcp:
            _close_all(self.tcp.pop(endpoint))
        for endpoint in udp:
            for sockets in self.udp.pop(endpoint):
                _close_all(sockets)


def _wanted(config: Config) -> tuple[set[Endpoint], set[Endpoint]]:
    """The TCP and the UDP endpoints that a configuration listens on."""
    if config.locals:
        places = [(place.listen, place.tcp, place.udp) for place in config.locals]
    else:
        places = [(server.endpoint, server.tcp, server.udp) for server in config.servers]
    # UDP ASSOCIATE needs a TCP connection to be asked on, even where only datagrams are relayed.
    tcp = {place for place, wants_tcp, _ in places if wants_tcp or config.locals}
    udp = {place for place, _, wants_udp in places if wants_udp}
    return tcp, udp


def _close_all(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
