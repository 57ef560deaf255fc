"""The sockets that a configuration listens on: opened before any fork, kept over reloads.

Whoever opens them owns them. Workers share the TCP listeners, so that there is one accept queue
which any of them may serve; of each UDP address every worker has a socket of its own, because the
datagrams of one client must reach the one worker that knows its association, and the kernel's
SO_REUSEPORT hash sees to that. The owner keeps all of them open, so a worker that dies takes no
queued connection with it and moves no client to another worker.

With ``reuse_port`` each worker has TCP listeners of its own too. The kernel deals connections out
by a hash, which spreads them more evenly than a race of workers for one queue; but a worker that
is busy or stopped keeps those in its queue waiting, while the others may have nothing to do.

Sockets that another process left us are taken before any is opened: see ``supervision.heritage``.
"""

import socket
from collections.abc import Iterable

from ..config.model import Config
from ..endpoint import Endpoint
from ..relay.sockets import Adopt, SocketOptions, open_stream_listeners, open_udp, somaxconn

__all__ = ["Bindings", "socket_options"]


def socket_options(config: Config) -> SocketOptions:
    """What the configuration wants of each connection's socket."""
    return SocketOptions(config.no_delay, config.keep_alive, config.fast_open, config.defer_accept)


#: The few that read figures need no long queue.
_METRICS_BACKLOG = 16


class Bindings:
    """All listening sockets of one program, by endpoint; ``adopt`` gives those left to us."""

    def __init__(
        self, workers: int = 1, reuse_port: bool = False, adopt: Adopt | None = None
    ) -> None:
        #: All of an endpoint; with ``reuse_port`` those of the first worker stand first.
        self.tcp: dict[Endpoint, list[socket.socket]] = {}
        #: One list of sockets for each worker.
        self.udp: dict[Endpoint, list[list[socket.socket]]] = {}
        #: Where figures are served.
        self.metrics: list[socket.socket] = []
        self._workers = workers
        self._reuse_port = reuse_port and workers > 1
        self._adopt = adopt

    def listeners(self, endpoint: Endpoint, worker: int) -> list[socket.socket]:
        """The TCP listeners of ``endpoint`` from which ``worker`` accepts."""
        return [sock for sock, owner in self.owned(endpoint) if owner in (None, worker)]

    def owned(self, endpoint: Endpoint) -> list[tuple[socket.socket, int | None]]:
        """The TCP listeners of ``endpoint``, each with its worker, None where all share it."""
        found = self.tcp[endpoint]
        if not self._reuse_port:
            return [(sock, None) for sock in found]
        each = len(found) // self._workers
        return [(sock, number // each) for number, sock in enumerate(found)]

    def all(self) -> list[socket.socket]:
        """Every socket, in the order in which another process would adopt them."""
        tcp = [sock for sockets in self.tcp.values() for sock in sockets]
        udp = [sock for lists in self.udp.values() for sockets in lists for sock in sockets]
        return [*tcp, *udp, *self.metrics]

    def open(self, config: Config) -> None:
        """Open what ``config`` adds.

        Raises ``ListenError`` and changes nothing where one of the new ones cannot be opened.
        """
        tcp, udp = _wanted(config)
        added = Bindings(self._workers, self._reuse_port, self._adopt)
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
        _close_all(self.metrics)

    def open_metrics(self, endpoint: Endpoint) -> None:
        """Open where figures are served. Raises ``ListenError``."""
        self.metrics = open_stream_listeners(
            endpoint, _METRICS_BACKLOG, SocketOptions(), adopt=self._adopt
        )

    def _open(self, config: Config, tcp: set[Endpoint], udp: set[Endpoint]) -> None:
        for endpoint in tcp:
            self.tcp[endpoint] = []
            for _ in range(self._workers if self._reuse_port else 1):
                self.tcp[endpoint] += open_stream_listeners(
                    endpoint, config.backlog, socket_options(config), self._reuse_port, self._adopt
                )
        for endpoint in udp:
            self.udp[endpoint] = []
            for _ in range(self._workers):
                sockets = open_udp(endpoint, self._workers > 1, self._adopt)
                self.udp[endpoint].append(sockets)

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
