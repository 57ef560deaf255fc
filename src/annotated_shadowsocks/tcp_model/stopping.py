"""The end of a listener: what becomes of those who wait in its queues.

[linux inet_csk_listen_stop] Queued connections are reset at once, for nobody will ever accept
them. Half-open requests are not told: on Linux each stays until its next segment, which then finds
no listener and is answered by RST, or until its timer. With ``tcp_migrate_req`` both go to a
sibling on the same endpoint, and the sibling's limit is not asked for those that were queued.
"""

from errno import ECONNRESET

from . import counters as c
from . import fastopen, synchronized
from .connection import Connection
from .effects import Dequeue, Move, Removal
from .instant import Instant
from .listener import Listener
from .namespace import Namespace
from .profile import Leftover
from .segment import ACK, RST, Segment
from .seqnum import add
from .states import State

__all__ = ["stop"]

_CLOSED = "its listener is closed"
_INHERITED = "its listener is closed, and tcp_migrate_req lets a sibling inherit"


def stop(namespace: Namespace, listener: Listener, now: Instant) -> None:
    """Stop listening; the socket itself may live on and listen again."""
    listener.state = State.CLOSED
    group = namespace.groups[listener.local]
    group.leave(listener)
    if not listener.reuse_port:
        # [linux tcp_disconnect] the time of the last cookie was the listener's own
        group.cookie_sent_at = None
    queue = listener.accept_queue.connections
    while queue:
        connection = queue.popleft()
        heir = namespace.heir_of(listener, connection.flow)
        reason = _CLOSED if heir is None else _INHERITED
        namespace.emit(Dequeue(connection.flow, listener.number, len(queue), reason))
        if heir is None:
            _abandon(namespace, connection, now)
            namespace.count_failed_migration(listener)
        else:
            _bequeath(namespace, connection, listener, heir)
    while listener.deferred:
        request, connection = listener.deferred.popleft()
        listener.syn_queue.remove(request)
        _abandon(namespace, connection, now)
    listener.fast_open.parked.clear()
    if namespace.profile.leftover is not Leftover.ORPHANED:
        _clear_requests(namespace, listener)


def _abandon(namespace: Namespace, connection: Connection, now: Instant) -> None:
    connection.listener = None
    fastopen.forget(namespace, connection, now, by_reset=False)
    if connection.state not in (State.CLOSED, State.TIME_WAIT):
        synchronized.abort(namespace, connection, now, "nobody will ever accept it")
        connection.error = ECONNRESET


def _bequeath(
    namespace: Namespace, connection: Connection, listener: Listener, heir: Listener
) -> None:
    connection.listener = heir
    if connection.request is not None:
        connection.request.listener = heir
        listener.fast_open.depth -= 1
        heir.fast_open.depth += 1
    heir.accept_queue.connections.append(connection)
    namespace.emit(Move(connection.flow, listener.number, heir.number, _INHERITED))
    namespace.count(c.TCP_MIGRATE_REQ_SUCCESS)


def _clear_requests(namespace: Namespace, listener: Listener) -> None:
    for request in [r for r in namespace.requests.values() if r.listener is listener]:
        namespace.remove_request(request, Removal.ORPHANED, _CLOSED)
        if namespace.profile.leftover is Leftover.RESET:
            local, remote = request.flow
            seq, ack = add(request.iss, 1), request.rcv_nxt
            namespace.send(Segment(local, remote, RST | ACK, seq, ack, window=0), _CLOSED)
            namespace.count(c.OUT_RSTS)
