"""What a client does when nobody answers, found out by letting the model's client do it.

Before the SYN is answered, and after its final ACK was thrown away, a client is alone: what it
sends depends on nothing but its settings and the round trip that it measured. So it needs to be
found out once for all clients that are alike.
"""

from functools import lru_cache
from typing import NamedTuple

from ..endpoint import Endpoint
from ..tcp_model import segment as s
from ..tcp_model.effects import Effect, SendSegment
from ..tcp_model.host import Host
from ..tcp_model.instant import Duration, Instant
from ..tcp_model.profiles import DEFAULT
from ..tcp_model.segment import Flow, Segment
from ..tcp_model.seqnum import add

__all__ = ["Persistence", "insisting", "knocking"]

_CLIENT = Endpoint("198.51.100.1", 30_000)
_SERVER = Endpoint("192.0.2.1", 80)
_OPTIONS: tuple[s.Option, ...] = (
    s.MaximumSegmentSize(1460),
    s.SackPermitted(),
    s.WindowScale(7),
)


class Persistence(NamedTuple):
    """When a segment is sent, from its first time on, and when its sender gives up."""

    sent: tuple[Duration, ...]
    until: Duration


@lru_cache
def knocking(settings: tuple[tuple[str, int], ...]) -> Persistence:
    """A SYN that is never answered, by a client with these settings."""
    host = Host(DEFAULT, dict(settings))
    _, effects = host.connect(_CLIENT, _SERVER, 0)
    return _alone(host, effects, 0)


@lru_cache(maxsize=4096)
def insisting(
    settings: tuple[tuple[str, int], ...], knocks: int, answered: Duration
) -> Persistence:
    """Data that is sent as soon as the SYN is answered, and never acknowledged.

    The answer came ``answered`` after the first of ``knocks`` SYNs.
    """
    host = Host(DEFAULT, dict(settings))
    connection, _ = host.connect(_CLIENT, _SERVER, 0)
    for _ in range(knocks - 1):
        host.handle_timer(host.get_timer() or answered)
    ack = add(connection.iss, 1)
    answer = Segment(_SERVER, _CLIENT, s.SYN | s.ACK, 0, ack, 65535, _OPTIONS)
    host.receive_segment(answer, answered)
    return _alone(host, host.send(connection, b"?", answered), answered)


def _alone(host: Host, effects: list[Effect], start: Instant) -> Persistence:
    """Let a client go on until it ends."""
    sent, at = _departures(effects, start), start
    flow = Flow(_CLIENT, _SERVER)
    while flow in host.connections and (due := host.get_timer()) is not None:
        at = due
        sent += _departures(host.handle_timer(at), at)
    return Persistence(tuple(one - start for one in sent), at - start)


def _departures(effects: list[Effect], at: Instant) -> list[Instant]:
    return [at for effect in effects if isinstance(effect, SendSegment)]
