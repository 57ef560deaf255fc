"""What a datagram becomes at either end of the tunnel; ``relay.packet_relay`` moves it.

::

    client            sslocal                    ssserver            target
    SOCKS5 header     opened: nothing to open    sealed packet       bare
    + data        ->  sealed: address + data ->  opened          ->  data

Here are the generations whose packets stand each for itself, SIP004 and the stream ciphers, and
SOCKS5, which is not sealed. Their flows are addresses, because nothing in them says more. Packets
of sessions are in ``session_packets``.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache
from types import ModuleType
from typing import Protocol

from ..crypto.methods import Generation
from ..endpoint import Endpoint
from ..entropy import Entropy
from ..relay.packet_relay import Address
from ..shadowsocks import aead_packet, stream_cipher_packet
from ..shadowsocks.aead_stream import SaltGuard
from ..shadowsocks.key import MasterKey
from ..socks5 import udp
from ..wire import address

__all__ = [
    "BoxSeal",
    "LocalPackets",
    "PacketBox",
    "PacketSeal",
    "ServerPackets",
    "SocksPackets",
    "encoded",
    "portable",
]


def portable(host: str) -> str:
    """A literal as another host can use it: of IPv4 where it is that, and without a zone."""
    if "." in host:
        return host.removeprefix("::ffff:")
    # [RFC4007 §6] a zone names an interface of the host that wrote it
    return host.partition("%")[0]


@lru_cache(maxsize=4096)
def encoded(source: Endpoint) -> bytes:
    """``source`` as the head of its answer."""
    return address.encode(Endpoint(portable(source.host), source.port))


class PacketBox:
    """Seals and opens packets that stand each for itself, under one key; ``name`` is its holder."""

    __slots__ = ("_entropy", "_form", "_salts", "_size", "key", "name", "overhead")

    def __init__(self, key: MasterKey, salts: SaltGuard, entropy: Entropy, name: str = "") -> None:
        self.key = key
        self.name = name
        self._salts = salts
        self._entropy = entropy
        self._size = key.method.salt_size
        stream = key.method.generation is Generation.STREAM
        self._form: ModuleType = stream_cipher_packet if stream else aead_packet
        #: Octets that sealing adds.
        self.overhead: int = self._form.overhead(key.method)

    def open(self, packet: memoryview, out: memoryview) -> tuple[Endpoint, memoryview]:
        """Address and data of ``packet``; its salt is remembered: a recording is dropped."""
        found: tuple[Endpoint, memoryview] = self._form.open_packet(
            self.key, packet, out, self._salts
        )
        return found

    def seal(self, plain: bytes | memoryview, out: memoryview) -> memoryview:
        """The packet for ``plain``; our own salts are remembered too, against reflection."""
        salt = self._entropy(self._size)
        if salt:
            self._salts.add(salt)
        return out[: self._form.seal_packet(self.key, salt, plain, out)]


class ServerPackets:
    """``PacketFront`` of ssserver for one key: sealed towards clients, bare towards targets."""

    __slots__ = ("_box",)

    def __init__(self, box: PacketBox) -> None:
        self._box = box

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[Address, Endpoint, memoryview]:
        """Open."""
        target, data = self._box.open(datagram, out)
        return client, target, data

    def outward(
        self, flow: Address, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        """Seal the answer of ``source``."""
        return self._box.seal(b"".join((encoded(source), datagram)), out)

    def owner(self, flow: Address, client: Address) -> Hashable:
        """A host has one owner's share, however many programs it runs."""
        return client[0]

    def user(self, flow: Address) -> str:
        """The name of the key's holder."""
        return self._box.name

    def closed(self, flow: Address) -> None:
        """Nothing is kept for a flow."""


class PacketSeal(Protocol):
    """What seals one flow of sslocal's, and opens its answers."""

    @property
    def server(self) -> Endpoint:
        """Where its packets go."""
        ...

    def seal(self, plain: memoryview, target: Endpoint, out: memoryview) -> memoryview:
        """The packet for ``plain``, which is the address of ``target`` and the data."""
        ...

    def open(self, packet: memoryview, out: memoryview) -> slice:
        """Where in ``out`` an answer's address and data stand, behind three octets at least."""
        ...


class BoxSeal:
    """``PacketSeal`` of a ``PacketBox``, for all flows alike."""

    __slots__ = ("_box", "server")

    def __init__(self, server: Endpoint, box: PacketBox) -> None:
        self.server = server
        self._box = box

    def seal(self, plain: memoryview, target: Endpoint, out: memoryview) -> memoryview:
        """See ``PacketSeal``."""
        return self._box.seal(plain, out)

    def open(self, packet: memoryview, out: memoryview) -> slice:
        """See ``PacketSeal``."""
        size = len(udp.PREFIX)
        self._box.open(packet, out[size:])
        return slice(size, size + len(packet) - self._box.overhead)


class LocalPackets:
    """``PacketFront`` of sslocal: SOCKS5 headers towards clients, sealed towards a server.

    ``choose`` gives what seals the flow of a new client, or raises ``PolicyRejected``.
    """

    __slots__ = ("_choose", "_seals")

    def __init__(self, choose: Callable[[Address], PacketSeal]) -> None:
        self._choose = choose
        self._seals: dict[Address, PacketSeal] = {}

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[Address, Endpoint, memoryview]:
        """Seal what stands behind the header's first three octets, once it was seen to be whole."""
        seal = self._seals.get(client) or self._choose(client)
        target, _ = udp.decode(datagram)
        packet = seal.seal(datagram[len(udp.PREFIX) :], target, out)
        self._seals[client] = seal
        return client, seal.server, packet

    def outward(
        self, flow: Address, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        """Open, and put the three octets in front again. ``source`` is the server, whoever asks."""
        place = self._seals[flow].open(datagram, out)
        start = place.start - len(udp.PREFIX)
        out[start : place.start] = udp.PREFIX
        return out[start : place.stop]

    def owner(self, flow: Address, client: Address) -> Hashable:
        """The host, which may end its associations all at once."""
        return client[0]

    def user(self, flow: Address) -> str:
        """Nobody has an account here."""
        return ""

    def closed(self, flow: Address) -> None:
        """The next datagram from there begins anew."""
        self._seals.pop(flow, None)


class SocksPackets:
    """``PacketFront`` of sslocal where an association ends in a stream: nothing is sealed here."""

    __slots__ = ("_admit",)

    def __init__(self, admit: Callable[[Address], None]) -> None:
        self._admit = admit

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[Address, Endpoint, memoryview]:
        """Take the header off."""
        self._admit(client)
        target, data = udp.decode(datagram)
        return client, target, data

    def outward(
        self, flow: Address, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        """Put a header in front."""
        head = udp.PREFIX + encoded(source)
        size = len(head)
        out[:size] = head
        out[size : size + len(datagram)] = datagram
        return out[: size + len(datagram)]

    def owner(self, flow: Address, client: Address) -> Hashable:
        """The host, which may end its associations all at once."""
        return client[0]

    def user(self, flow: Address) -> str:
        """Nobody has an account here."""
        return ""

    def closed(self, flow: Address) -> None:
        """Nothing is kept for a flow."""
