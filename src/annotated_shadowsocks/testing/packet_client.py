"""The client's side of Shadowsocks datagrams, of any generation, without a socket."""

import time
from collections.abc import Callable
from types import ModuleType

from ..crypto.methods import Generation
from ..endpoint import Endpoint
from ..shadowsocks import aead_packet, stream_cipher_packet
from ..shadowsocks.aead2022_session import ClientSession
from ..shadowsocks.credentials import ClientKeys
from ..shadowsocks.key import MasterKey
from ..shadowsocks.timestamp import Timestamps
from ..system import entropy
from ..wire import address

__all__ = ["PacketClient"]


class PacketClient:
    """Seals and opens packets with ``keys``; of SIP022, those of one session."""

    def __init__(self, keys: ClientKeys, wall: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._session: ClientSession | None = None
        if not isinstance(keys, MasterKey):
            self._session = ClientSession(keys, Timestamps(wall), entropy)

    def seal(self, dst: Endpoint, data: bytes, padding: int = 0) -> bytes:
        """The next packet, for ``dst``."""
        return self.seal_plain(address.encode(dst) + data, padding)

    def seal_plain(self, plain: bytes, padding: int = 0) -> bytes:
        """The next packet, whose plain text need not be an address and data."""
        out = memoryview(bytearray(len(plain) + padding + 256))
        if self._session is not None:
            return bytes(out[: self._session.seal(plain, out, padding)])
        key = self._master_key()
        form = _form(key)
        return bytes(out[: form.seal_packet(key, entropy(key.method.salt_size), plain, out)])

    def open(self, packet: bytes) -> tuple[Endpoint, bytes]:
        """Whose answer ``packet`` is, and its data; raises what the cores raise."""
        out = memoryview(bytearray(len(packet) + 256))
        if self._session is None:
            key = self._master_key()
            source, data = _form(key).open_packet(key, memoryview(packet), out)
            return source, bytes(data)
        place = self._session.open(memoryview(packet), out, time.monotonic())
        source, end = address.decode(out[place])
        return source, bytes(out[place][end:])

    def _master_key(self) -> MasterKey:
        if not isinstance(self._keys, MasterKey):
            raise TypeError("a session seals these")
        return self._keys


def _form(key: MasterKey) -> ModuleType:
    return stream_cipher_packet if key.method.generation is Generation.STREAM else aead_packet
