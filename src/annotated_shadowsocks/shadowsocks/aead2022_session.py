"""SIP022 sessions: what both ends of a flow of datagrams remember, so that no packet counts twice.

A client begins a session by choosing an id, and numbers its packets from zero. The server knows the
session by that id and not by the address it comes from, so a client may change networks. Its
answers belong to a session of its own, with its own id and numbers, and name the client's.

A packet is judged in this order, and only one that passes everything changes anything::

    authentic?  type?  (our session?)  recent?  whole?  number not seen?

A session that was forgotten would be a new one to its own recording. So it is kept, after it was
given up, until none of its packets is recent any more (``REMEMBERED``). That goes by a clock that
nobody sets. Should the wall clock be set back, the packets are recent once more, and their session
is not known: so a new session has to begin later than any forgotten one was heard of.

What is forgotten with the process, a memory that outlives it has to know. It need not be asked for
each packet. A table claims there, for a session and the second in a packet's timestamp, that all
the session's packets of that second are its own to judge; where the claim was made before, another
table has judged some of them, and nobody can say which. So one claim a second is what a session
costs, and a session that meets a new table loses the packets of one second.

A server that restarts begins new sessions, and may be overtaken by what it said before. So a client
keeps two [SIP022].
"""

from collections import OrderedDict

from ..crypto.aead import Aead
from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import RemoteProtocolError, ReplayError, Truncated
from .aead2022_packet import (
    CLIENT_BODY,
    FROM_CLIENT,
    FROM_SERVER,
    HEADER_SIZE,
    SERVER_BODY,
    SESSION_ID_SIZE,
    PacketSender,
    body_offset,
    open_body,
    open_header,
    parse_rest,
    session_box,
)
from .aead_stream import SaltGuard
from .identity import KeyChain, KeyTable, User
from .timestamp import MAX_SKEW, Timestamps
from .window import SlidingWindow

__all__ = ["MAX_SESSIONS", "REMEMBERED", "ClientSession", "ServerSession", "SessionTable"]

#: Seconds after which no timestamp that was recent is recent again; one to spare.
REMEMBERED = 2 * MAX_SKEW + 2

#: Sessions of one table, alive and remembered.
MAX_SESSIONS = 65_536


class _Incoming:
    """One direction of a session as its receiver knows it."""

    __slots__ = ("box", "claimed", "latest", "seen", "session_id", "window")

    def __init__(self, session_id: bytes, box: Aead) -> None:
        self.session_id = session_id
        self.box = box
        #: The seconds whose packets are ours to judge.
        self.claimed: set[int] = set()
        self.window = SlidingWindow()
        #: The latest timestamp of its good packets.
        self.latest = 0
        #: When the last one of them came, in monotonic seconds.
        self.seen = 0.0

    def accept(self, header: bytes, timestamp: int, now: float) -> None:
        """Count the packet of ``header``, which is good in all else, or raise ``ReplayError``."""
        if not self.window.add(int.from_bytes(header[SESSION_ID_SIZE:], "big")):
            raise ReplayError("a packet that was seen before, or is too old to tell")
        self.latest = max(self.latest, timestamp)
        self.seen = now


class ClientSession:
    """One flow of datagrams through a server, as the client holds it: seals, and opens answers.

    Memory views are not to overlap each other; ``now`` is monotonic time in seconds.
    """

    __slots__ = (
        "_chain",
        "_current",
        "_forgotten",
        "_previous",
        "_sender",
        "_timestamps",
        "session_id",
    )

    def __init__(self, chain: KeyChain, timestamps: Timestamps, entropy: Entropy) -> None:
        self.session_id = entropy(SESSION_ID_SIZE)
        self._chain = chain
        self._timestamps = timestamps
        self._sender = PacketSender(chain, self.session_id, entropy)
        #: The server's session, and the one before it.
        self._current: _Incoming | None = None
        self._previous: _Incoming | None = None
        #: The latest timestamp in those before these.
        self._forgotten = 0

    @property
    def overhead(self) -> int:
        """Octets that ``seal`` adds, besides padding."""
        return self._sender.overhead + CLIENT_BODY.size

    def seal(self, plain: bytes | memoryview, out: memoryview, padding: int = 0) -> int:
        """Write the packet for ``plain``, a target's address and data, to ``out``.

        Returns the octets written.
        """
        head = CLIENT_BODY.pack(FROM_CLIENT, self._timestamps.now(), padding)
        return self._sender.seal(head + bytes(padding), plain, out)

    def open(self, packet: memoryview, out: memoryview, now: float) -> slice:
        """Open ``packet`` to ``out``, and say where in it the answer's address and data stand.

        There are octets in front of them that nobody needs any more. Raises
        ``RemoteProtocolError`` for a packet that is to be dropped.
        """
        psk = self._chain.psk
        header = open_header(psk, 0, packet, out)
        incoming = self._incoming(header[:SESSION_ID_SIZE], now)
        body = open_body(psk, incoming.box, header, 0, packet, out)
        if len(body) < SERVER_BODY.size:
            raise Truncated("an authentic packet that ends inside its body's head")
        kind, timestamp, session_id, padding = SERVER_BODY.unpack_from(body)
        if kind != FROM_SERVER:
            raise RemoteProtocolError(f"a packet of type {kind}, which is no answer")
        if session_id != self.session_id:
            raise ReplayError("an answer to another session")
        self._timestamps.check(timestamp)
        start = SERVER_BODY.size + padding
        parse_rest(body, start)
        if incoming in (self._current, self._previous):
            incoming.accept(header, timestamp, now)
        else:
            self._begin(incoming, header, timestamp, now)
        before = body_offset(psk)
        return slice(before + start, before + len(body))

    def _incoming(self, session_id: bytes, now: float) -> _Incoming:
        """The server's session of that id, or a new one that nobody knows yet."""
        for incoming in (self._current, self._previous):
            if incoming is not None and incoming.session_id == session_id:
                return incoming
        if self._previous is not None and now - self._previous.seen < REMEMBERED:
            raise RemoteProtocolError("a third session of the server within a minute")
        return _Incoming(session_id, session_box(self._chain.psk, session_id))

    def _begin(self, incoming: _Incoming, header: bytes, timestamp: int, now: float) -> None:
        """Take the server's new session, and forget the one before the last."""
        forgotten = max(self._forgotten, self._previous.latest if self._previous else 0)
        if timestamp <= forgotten:
            raise ReplayError("a session of the server that may have been forgotten")
        incoming.accept(header, timestamp, now)
        self._forgotten = forgotten
        self._previous, self._current = self._current, incoming


class ServerSession:
    """One client's flow of datagrams, as the server holds it: seals answers.

    ``user`` says whose it is. Made by ``SessionTable`` and by nobody else.
    """

    __slots__ = (
        "_sender",
        "_timestamps",
        "client_session_id",
        "incoming",
        "key",
        "released",
        "user",
    )

    def __init__(
        self,
        key: bytes,
        user: User,
        incoming: _Incoming,
        timestamps: Timestamps,
        entropy: Entropy,
    ) -> None:
        self.key = key
        self.user = user
        self.incoming = incoming
        self.client_session_id = incoming.session_id
        #: When the flow was given up, in monotonic seconds; None while it lasts.
        self.released: float | None = None
        self._timestamps = timestamps
        session_id = entropy(SESSION_ID_SIZE)
        # [SIP022] the two must not be equal: with one key, so would be the nonces
        while session_id == self.client_session_id:
            session_id = entropy(SESSION_ID_SIZE)
        self._sender = PacketSender(KeyChain(user.psk), session_id, entropy)

    @property
    def overhead(self) -> int:
        """Octets that ``seal`` adds, besides padding."""
        return self._sender.overhead + SERVER_BODY.size

    def seal(self, plain: bytes | memoryview, out: memoryview, padding: int = 0) -> int:
        """Write the packet for ``plain``, an answer's address and data, to ``out``.

        Returns the octets written.
        """
        now = self._timestamps.now()
        head = SERVER_BODY.pack(FROM_SERVER, now, self.client_session_id, padding)
        return self._sender.seal(head + bytes(padding), plain, out)


class SessionTable:
    """All sessions of a server, by the user's key and client session id.

    One table serves all ports, whatever their keys: what one of them has heard, another one with
    the same key refuses. ``guard`` is what it shares with other tables, before it and beside it.
    Memory views are not to overlap each other; ``now`` is monotonic time in seconds.
    """

    def __init__(
        self,
        timestamps: Timestamps,
        entropy: Entropy,
        guard: SaltGuard | None = None,
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        self._guard = guard
        self._timestamps = timestamps
        self._entropy = entropy
        self._max_sessions = max_sessions
        self._sessions: dict[bytes, ServerSession] = {}
        #: Those that were released, in the order of their release.
        self._released: OrderedDict[bytes, ServerSession] = OrderedDict()
        #: The latest timestamp in any that was forgotten.
        self._forgotten = 0

    def __len__(self) -> int:
        """Sessions that are remembered."""
        return len(self._sessions)

    def open(
        self, keys: KeyTable, packet: memoryview, out: memoryview, now: float
    ) -> tuple[ServerSession, Endpoint, memoryview]:
        """Whose ``packet`` is among ``keys``, where it goes, and its data, a part of ``out``.

        The client's address may be replaced by where the packet came from once this returns, and
        not before. Raises ``RemoteProtocolError`` for a packet that is to be dropped.
        """
        psk = keys.psk
        header = open_header(psk, keys.header_size, packet, out)
        user = keys.packet_user(header, packet[HEADER_SIZE : HEADER_SIZE + keys.header_size])
        session_id = header[:SESSION_ID_SIZE]
        key = user.psk.identity + session_id
        session = self._sessions.get(key)
        if session is not None:
            incoming = session.incoming
        else:
            incoming = _Incoming(session_id, session_box(user.psk, session_id))
        body = open_body(psk, incoming.box, header, keys.header_size, packet, out)
        if len(body) < CLIENT_BODY.size:
            raise Truncated("an authentic packet that ends inside its body's head")
        kind, timestamp, padding = CLIENT_BODY.unpack_from(body)
        if kind != FROM_CLIENT:
            raise RemoteProtocolError(f"a packet of type {kind}, which is no client's")
        self._timestamps.check(timestamp)
        target, data = parse_rest(body, CLIENT_BODY.size + padding)
        if session is None:
            self._make_room(timestamp, now)
            session = ServerSession(key, user, incoming, self._timestamps, self._entropy)
        if timestamp not in incoming.claimed:
            self._claim(key, incoming, timestamp)
        incoming.accept(header, timestamp, now)
        self._sessions[key] = session
        if session.released is not None:
            session.released = None
            del self._released[key]
        return session, target, data

    def release(self, session: ServerSession, now: float) -> None:
        """The flow of ``session`` has ended. A packet of it that comes in time continues it."""
        session.released = now
        self._released[session.key] = session
        self._forget(now)

    def _claim(self, key: bytes, incoming: _Incoming, second: int) -> None:
        """Judge the session's packets of that second from here on, or raise ``ReplayError``."""
        claim = key + second.to_bytes(8, "big")
        if self._guard is not None and not self._guard.add(claim, second):
            raise ReplayError("a packet that was heard, or may have been, before this table began")
        if len(incoming.claimed) > REMEMBERED:
            incoming.claimed = {one for one in incoming.claimed if one > second - REMEMBERED}
        incoming.claimed.add(second)

    def _make_room(self, timestamp: int, now: float) -> None:
        """Raise what is to be raised for a new session whose first packet has ``timestamp``."""
        self._forget(now)
        if timestamp <= self._forgotten:
            raise ReplayError("a session that may have been forgotten")
        # To forget a session early would let its packets be played again. Only holders of a key
        # get here, and one who opens a thousand sessions a second hurts newcomers alone.
        if len(self._sessions) >= self._max_sessions:
            raise RemoteProtocolError("more sessions than are remembered")

    def _forget(self, now: float) -> None:
        """Drop released sessions whose packets are all too old by now."""
        while self._released:
            key, session = next(iter(self._released.items()))
            if session.released is None or now - session.released < REMEMBERED:
                return
            self._forgotten = max(self._forgotten, session.incoming.latest)
            del self._released[key], self._sessions[key]
