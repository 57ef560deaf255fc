"""Many keys on one port, for packets that do not say whose they are.

Nothing tells which key a packet of SIP004 was sealed with, except that it opens. Outline's answer
is to try them, the likely ones first. Here a flow is tried with the key that opened its last
packet; a new one with that of whoever was last at its host, and then with all.
"""

from collections.abc import Hashable

from ..crypto.methods import TAG_SIZE
from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import AuthenticationError, PolicyRejected, Truncated
from ..relay.packet_relay import Address, Postponed
from ..shadowsocks.aead_stream import SaltGuard
from ..shadowsocks.credentials import Holder, KeyRing
from ..shadowsocks.handshake import KeySought
from .key_search import KeySearches
from .packets import PacketBox, encoded

__all__ = ["MAX_SEARCHES", "KeyedPackets"]

#: Packets of one port that wait for a search.
MAX_SEARCHES = 32


class KeyedPackets:
    """``PacketFront`` of ssserver for many keys.

    A search among many keys takes turns with everything else, and the packet waits for it; only
    ``MAX_SEARCHES`` may wait, and what comes meanwhile from unknown addresses is dropped.
    """

    __slots__ = ("_boxes", "_flows", "_found", "_keys", "_searches", "_searching")

    def __init__(
        self,
        keys: KeyRing,
        searches: KeySearches,
        salts: SaltGuard,
        entropy: Entropy,
    ) -> None:
        self._keys = keys
        self._searches = searches
        self._boxes = {
            holder: PacketBox(holder.key, salts, entropy, holder.name) for holder in keys.holders
        }
        self._flows: dict[Address, PacketBox] = {}
        #: What a search has found, for the packet that it was made for.
        self._found: PacketBox | None = None
        self._searching = 0

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[Address, Endpoint, memoryview]:
        """Open, where it is clear by which key or soon found out."""
        box = self._found or self._flows.get(client)
        if box is not None:
            try:
                target, data = box.open(datagram, out)
            except AuthenticationError:
                pass
            else:
                self._flows[client] = box
                return client, target, data
        box = self._search(datagram, client)
        target, data = box.open(datagram, out)
        # Not before it was found to be no recording: those may come from any number of addresses.
        self._flows[client] = box
        return client, target, data

    def outward(
        self, flow: Address, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        """Seal the answer of ``source`` as the flow's last packet was."""
        return self._flows[flow].seal(b"".join((encoded(source), datagram)), out)

    def owner(self, flow: Address, client: Address) -> Hashable:
        """A user has one share, wherever they are."""
        return self._flows[flow].name

    def user(self, flow: Address) -> str:
        """The name of whoever holds the key."""
        return self._flows[flow].name

    def closed(self, flow: Address) -> None:
        """Its key is tried first no longer."""
        self._flows.pop(flow, None)

    def _search(self, packet: memoryview, client: Address) -> PacketBox:
        if self._searching >= MAX_SEARCHES:
            raise PolicyRejected(client[0], "more searches for a key than may wait")
        size = self._keys.method.salt_size
        if len(packet) < size + TAG_SIZE:
            raise Truncated(f"a packet of {len(packet)} octets")
        found: list[Holder | None] = []
        sought = KeySought(bytes(packet[:size]), bytes(packet[size:]), found.append)
        postponed = Postponed()

        def answered() -> None:
            self._searching -= 1
            (holder,) = found
            if holder is None:
                postponed.resume(_nobody())
                return
            self._found = self._boxes[holder]
            try:
                postponed.resume(None)
            finally:
                self._found = None

        if self._searches.begin(sought, client[0], answered) is not None:
            self._searching += 1
            raise postponed
        (holder,) = found
        if holder is None:
            raise _nobody()
        return self._boxes[holder]


def _nobody() -> AuthenticationError:
    return AuthenticationError("no user's key opens a packet")
