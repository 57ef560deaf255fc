"""What a datagram becomes at either end of the tunnel; ``relay.packet_relay`` moves it.

::

    client            sslocal                    ssserver            target
    SOCKS5 header     opened: nothing to open    sealed packet       bare
    + data        ->  sealed: address + data ->  opened          ->  data
"""

from ..endpoint import Endpoint
from ..entropy import Entropy
from ..shadowsocks.aead_packet import open_packet, overhead, seal_packet
from ..shadowsocks.aead_stream import SaltGuard
from ..shadowsocks.key import MasterKey
from ..socks5 import udp
from ..wire import address

__all__ = ["LocalPackets", "ServerPackets", "portable"]


def portable(host: str) -> str:
    """A literal as another host can use it: of IPv4 where it is that, and without a zone."""
    if "." in host:
        return host.removeprefix("::ffff:")
    # [RFC4007 §6] a zone names an interface of the host that wrote it
    return host.partition("%")[0]


class ServerPackets:
    """``PacketCodec`` of ssserver: sealed towards clients, bare towards targets."""

    __slots__ = ("_entropy", "_key", "_salts")

    def __init__(self, key: MasterKey, salts: SaltGuard, entropy: Entropy) -> None:
        self._key = key
        self._salts = salts
        self._entropy = entropy

    def inward(self, datagram: memoryview, out: memoryview) -> tuple[Endpoint, memoryview]:
        """Open, and remember the salt: a recorded packet is dropped."""
        return open_packet(self._key, datagram, out, self._salts)

    def outward(self, source: Endpoint, datagram: memoryview, out: memoryview) -> memoryview:
        """Seal the answer of ``source``; our own salts are remembered against reflection."""
        origin = Endpoint(portable(source.host), source.port)
        plain = b"".join((address.encode(origin), datagram))
        return _sealed(self._key, plain, out, self._salts, self._entropy)


class LocalPackets:
    """``PacketCodec`` of sslocal: SOCKS5 headers towards clients, sealed towards ``server``."""

    __slots__ = ("_entropy", "_key", "_salts", "_server")

    def __init__(
        self, server: Endpoint, key: MasterKey, salts: SaltGuard, entropy: Entropy
    ) -> None:
        self._server = server
        self._key = key
        self._salts = salts
        self._entropy = entropy

    def inward(self, datagram: memoryview, out: memoryview) -> tuple[Endpoint, memoryview]:
        """Seal what stands behind the header's first three octets, once it was seen to be whole."""
        udp.decode(datagram)
        plain = datagram[len(udp.PREFIX) :]
        return self._server, _sealed(self._key, plain, out, self._salts, self._entropy)

    def outward(self, source: Endpoint, datagram: memoryview, out: memoryview) -> memoryview:
        """Open, and put the three octets in front again. ``source`` is the server, whoever asks."""
        size = len(udp.PREFIX)
        open_packet(self._key, datagram, out[size:], self._salts)
        out[:size] = udp.PREFIX
        return out[: size + len(datagram) - overhead(self._key.method)]


def _sealed(
    key: MasterKey,
    plain: bytes | memoryview,
    out: memoryview,
    salts: SaltGuard,
    entropy: Entropy,
) -> memoryview:
    salt = entropy(key.method.salt_size)
    salts.add(salt)
    return out[: seal_packet(key, salt, plain, out)]
