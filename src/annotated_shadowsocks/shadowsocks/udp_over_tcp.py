"""UDP over TCP: datagrams framed in a stream, for networks that let no UDP pass.

The stream is a tunnel like any other, to a host that does not exist: a server that knows one of the
``HOSTS`` ends the tunnel itself and sends the datagrams. The port there means nothing::

    version 1     datagram, datagram, ...
    version 2     request, datagram, datagram, ...

    request       | connect | atyp dst_addr dst_port |      atyp as SOCKS has it: 1, 3, 4
    datagram      | family address port | length | data |   family 0 IPv4, 1 IPv6, 2 name
      connected   | length | data |                         to and from the request's address alone
                                  2

Both directions are framed alike; the address is the target's on the way there, and on the way back
whose answer it is. A length of zero is a datagram too.

Source: sing-box, "UDP over TCP", protocol specification; its module ``common/uot`` for the codes.
"""

from collections.abc import Generator
from dataclasses import dataclass

from ..endpoint import Endpoint
from ..errors import LocalProtocolError, RemoteProtocolError
from ..wire import address
from ..wire.core import HandshakeCore

__all__ = ["HOSTS", "MAX_DATAGRAM", "DatagramReceived", "UotClient", "UotServer", "version_of"]

#: Where a tunnel goes whose octets are datagrams, by version.
HOSTS = {1: "sp.udp-over-tcp.arpa", 2: "sp.v2.udp-over-tcp.arpa"}

#: Octets that a length can say.
MAX_DATAGRAM = 0xFFFF

#: Family, and the type that SOCKS has for it.
_FAMILIES = {0: address.ATYP_IPV4, 1: address.ATYP_IPV6, 2: address.ATYP_DOMAINNAME}
_CODES = {atyp: family for family, atyp in _FAMILIES.items()}
_SIZES = {address.ATYP_IPV4: 4, address.ATYP_IPV6: 16}


def version_of(host: str) -> int | None:
    """The version that a tunnel to ``host`` speaks; None for a host like any other."""
    name = host.lower().removesuffix(".")
    return next((version for version, magic in HOSTS.items() if name == magic), None)


@dataclass(frozen=True, slots=True)
class DatagramReceived:
    """``data`` to ``peer``, as a server hears it, or from ``peer``, as a client does."""

    peer: Endpoint
    data: bytes


class _Datagrams(HandshakeCore[DatagramReceived]):
    """Either end behind the request. An end of the stream between datagrams is ``PAUSED``."""

    __slots__ = ("_connected", "_ended")

    def __init__(self, connected: Endpoint | None) -> None:
        super().__init__()
        self._connected = connected
        self._ended = False

    def receive_eof(self) -> None:
        """Learn that nothing more will arrive."""
        self._ended = True
        super().receive_eof()

    def send(self, peer: Endpoint, data: bytes | memoryview) -> None:
        """Frame ``data``, to or from ``peer``.

        Raises ``LocalProtocolError`` for more than ``MAX_DATAGRAM`` octets, and for a peer other
        than the one that the stream is connected to.
        """
        if len(data) > MAX_DATAGRAM:
            raise LocalProtocolError(f"a datagram of {len(data)} octets")
        head = b""
        if self._connected is None:
            encoded = address.encode(peer)
            head = bytes([_CODES[encoded[0]]]) + encoded[1:]
        elif peer != self._connected:
            raise LocalProtocolError(f"a datagram for {peer}, connected to {self._connected}")
        self._send(b"".join((head, len(data).to_bytes(2, "big"), data)))

    def _run(self) -> Generator[DatagramReceived | None, None, None]:
        reader = self._reader
        while True:
            while not len(reader):
                if self._ended:
                    return
                yield None
            peer = self._connected or (yield from self._read_address())
            length = yield from reader.read_exact(2)
            data = yield from reader.read_exact(int.from_bytes(length, "big"))
            yield DatagramReceived(peer, data)

    def _read_address(self) -> Generator[None, None, Endpoint]:
        family = (yield from self._reader.read_exact(1))[0]
        atyp = _FAMILIES.get(family)
        if atyp is None:
            raise RemoteProtocolError(f"address family {family:#04x} does not exist")
        head = bytes([atyp])
        size = _SIZES.get(atyp)
        if size is None:
            length = yield from self._reader.read_exact(1)
            head, size = head + length, length[0]
        rest = yield from self._reader.read_exact(size + 2)
        return address.decode(head + rest)[0]


class UotClient(_Datagrams):
    """The end that opened the stream. ``destination`` connects it; version 1 has no such thing."""

    __slots__ = ("_requested",)

    def __init__(self, version: int = 2, destination: Endpoint | None = None) -> None:
        super().__init__(destination)
        if version == 1 and destination is not None:
            raise LocalProtocolError("version 1 connects to nobody")
        self._requested = version == 1

    def send(self, peer: Endpoint, data: bytes | memoryview) -> None:
        """Frame ``data`` for ``peer``, behind the request where it is the first."""
        if not self._requested:
            self._requested = True
            # Unconnected, the address binds nobody, but a server may choose its way by it.
            target = address.encode(self._connected or peer)
            self._send(bytes([self._connected is not None]) + target)
        super().send(peer, data)


class UotServer(_Datagrams):
    """The end that sends the datagrams and frames the answers; ``version`` is that of the host.

    ``connected`` is the one peer of the stream, once a request has named it.
    """

    __slots__ = ("_version",)

    def __init__(self, version: int) -> None:
        super().__init__(None)
        self._version = version

    @property
    def connected(self) -> Endpoint | None:
        """Where every datagram goes, for a stream that is connected."""
        return self._connected

    def _run(self) -> Generator[DatagramReceived | None, None, None]:
        if self._version != 1:
            connect = (yield from self._reader.read_exact(1))[0]
            if connect > 1:
                raise RemoteProtocolError(f"a request of {connect:#04x}, which is neither 0 nor 1")
            destination = yield from address.read(self._reader)
            if connect:
                self._connected = destination
        yield from super()._run()
