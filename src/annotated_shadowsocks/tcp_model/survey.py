"""What listen(b) means on a system, found out as anybody would: by connecting until it is full.

Nothing here knows a formula. Clients connect one after the other to a listener that nobody serves;
what is counted is what they got. Stevens made such a table once for eight systems, with a backlog
of 0 to 14.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ..endpoint import Endpoint
from .effects import DropAck, Effect, SendSegment
from .host import Host
from .instant import Instant
from .listener import Listener
from .named import Named
from .profile import Profile
from .segment import ACK, RST, SYN, Flow, Segment
from .seqnum import add

__all__ = ["AckAnswer", "Answers", "Survey", "SynAnswer", "answers", "connections", "survey"]

_SERVER = Endpoint("192.0.2.1", 80)
_NOON: Instant = 0
#: However many half-open requests a system takes, this many are enough to see.
_ENOUGH = 20_000


class SynAnswer(Named):
    """What a SYN meets at a full accept queue."""

    SILENCE = "nothing"
    RST = "RST"
    SYN_ACK = "SYN/ACK"


class AckAnswer(Named):
    """What a final ACK meets at a full accept queue."""

    NEVER_FULL = "always taken"
    IGNORED = "ignored, SYN/ACK again"
    FORGOTTEN = "ignored, forgotten"
    RST = "RST"
    WAITS = "taken, waits for room"


class Survey(NamedTuple):
    """One cell of the table."""

    backlog: int
    #: What listen() made of it.
    limit: int
    #: How many clients, one by one, have a connection in the accept queue.
    connections: int
    #: How many half-open requests are held at once, without cookies.
    half_open: int


class Answers(NamedTuple):
    """What a full accept queue says."""

    to_syn: SynAnswer
    to_ack: AckAnswer


class _Bench:
    """A listener that nobody serves, and clients who speak to it directly."""

    def __init__(self, profile: Profile, backlog: int, syncookies: bool = True) -> None:
        off = {} if syncookies or "tcp_syncookies" not in profile.knobs else {"tcp_syncookies": 0}
        self.host = Host(profile, off)
        self.listener: Listener = self.host.bind(_SERVER)
        self.host.listen(self.listener, backlog, _NOON)
        self._clients = 0

    def syn(self) -> tuple[Endpoint, list[Effect]]:
        """A new client's SYN."""
        self._clients += 1
        high, low = divmod(self._clients, 60_000)
        client = Endpoint(f"198.51.100.{high}", 1024 + low)
        return client, self.host.receive_segment(Segment(client, _SERVER, SYN, 0), _NOON)

    def ack(self, client: Endpoint, effects: list[Effect]) -> list[Effect]:
        """The same client's final ACK, if the SYN was answered by a SYN/ACK."""
        answer = _sent(effects)
        if answer is None or answer.flags != SYN | ACK:
            return []
        last = Segment(client, _SERVER, ACK, 1, add(answer.seq, 1))
        return self.host.receive_segment(last, _NOON)

    def fill(self, at_most: int | None = None) -> int:
        """Connect clients one by one until one does not get into the queue."""
        queue = self.listener.accept_queue
        while at_most is None or queue.depth < at_most:
            depth = queue.depth
            self.ack(*self.syn())
            if queue.depth == depth:
                break
        return queue.depth


def connections(profile: Profile, backlog: int) -> int:
    """How many clients, one by one, get a connection in the accept queue."""
    return _Bench(profile, backlog).fill()


def survey(profile: Profile, backlogs: Iterable[int]) -> list[Survey]:
    """Fill both queues of a listener and count, for each backlog."""
    by_limit: dict[int, int] = {}
    by_syn_limit: dict[int | None, int] = {}
    found = []
    for backlog in backlogs:
        bench = _Bench(profile, backlog, syncookies=False)
        limit, syn_limit = bench.listener.accept_queue.limit, bench.listener.syn_queue.limit
        # Most backlogs beyond a maximum, and all half-open caches of a host, are the same case.
        if limit not in by_limit:
            by_limit[limit] = connections(profile, backlog)
        if syn_limit not in by_syn_limit:
            by_syn_limit[syn_limit] = _hold(bench)
        found.append(Survey(backlog, limit, by_limit[limit], by_syn_limit[syn_limit]))
    return found


def _hold(bench: _Bench) -> int:
    """Send SYNs from clients that never answer, until no more are held."""
    queue = bench.listener.syn_queue
    while queue.depth < _ENOUGH:
        depth = queue.depth
        bench.syn()
        if queue.depth == depth:
            break
    return queue.depth


def answers(profile: Profile, backlog: int = 2) -> Answers:
    """Ask a full accept queue."""
    bench = _Bench(profile, backlog)
    full = bench.fill()
    _, effects = bench.syn()
    answer = _sent(effects)
    if answer is None:
        to_syn = SynAnswer.SILENCE
    else:
        to_syn = SynAnswer.RST if answer.flags & RST else SynAnswer.SYN_ACK
    return Answers(to_syn, _ask_ack(profile, backlog, full))


def _ask_ack(profile: Profile, backlog: int, full: int) -> AckAnswer:
    """Have handshakes begin while there is room, and end when there is none."""
    for before in range(full):
        bench = _Bench(profile, backlog, syncookies=False)
        bench.fill(before)
        begun = [bench.syn() for _ in range(2 * full + 2)]
        for client, effects in begun:
            flow = Flow(_SERVER, client)
            if flow not in bench.host.requests:
                continue  # never admitted, or evicted since
            answer = _judge(bench, flow, bench.ack(client, effects))
            if answer is not AckAnswer.NEVER_FULL:
                return answer
    return AckAnswer.NEVER_FULL


def _judge(bench: _Bench, flow: Flow, effects: list[Effect]) -> AckAnswer:
    answer = _sent(effects)
    if answer is not None and answer.flags & RST:
        return AckAnswer.RST
    if any(isinstance(effect, DropAck) for effect in effects):
        kept = flow in bench.host.requests
        return AckAnswer.IGNORED if kept else AckAnswer.FORGOTTEN
    waits = any(flow == connection.flow for _, connection in bench.listener.deferred)
    return AckAnswer.WAITS if waits else AckAnswer.NEVER_FULL


def _sent(effects: list[Effect]) -> Segment | None:
    sent = (effect.segment for effect in effects if isinstance(effect, SendSegment))
    return next(sent, None)
