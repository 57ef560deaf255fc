"""Which front a port's datagrams have: it follows from its keys."""

from collections.abc import Callable
from typing import Any

from ..endpoint import Endpoint
from ..relay.packet_relay import PacketFront
from ..shadowsocks.aead2022_session import ClientSession
from ..shadowsocks.credentials import ClientKeys, KeyRing, ServerKeys
from ..shadowsocks.identity import KeyChain
from .key_search import KeySearches
from .keyed_packets import KeyedPackets
from .packets import BoxSeal, PacketBox, PacketSeal, ServerPackets
from .runtime import Runtime
from .session_packets import ServerSessionPackets, SessionSeal

__all__ = ["seal_maker", "server_front"]


def server_front(runtime: Runtime, keys: ServerKeys) -> PacketFront[Any]:
    """What datagrams to a server with ``keys`` mean."""
    if not isinstance(keys, KeyRing):
        return ServerSessionPackets(keys, runtime.sessions, runtime.entropy, runtime.loop.time)
    if len(keys.holders) > 1:
        # Searches of its own: the streams' give up old ones where a host begins too many.
        searches = KeySearches(runtime.loop, keys)
        return KeyedPackets(keys, searches, runtime.packet_salts, runtime.entropy)
    (holder,) = keys.holders
    return ServerPackets(PacketBox(holder.key, runtime.packet_salts, runtime.entropy, holder.name))


def seal_maker(runtime: Runtime, server: Endpoint, keys: ClientKeys) -> Callable[[], PacketSeal]:
    """What makes the seal of a new flow to ``server``."""
    if isinstance(keys, KeyChain):
        return lambda: SessionSeal(
            server,
            ClientSession(keys, runtime.timestamps, runtime.entropy),
            runtime.entropy,
            runtime.loop.time,
        )
    seal = BoxSeal(server, PacketBox(keys, runtime.packet_salts, runtime.entropy))
    return lambda: seal
