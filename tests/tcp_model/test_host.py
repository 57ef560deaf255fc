"""A host under arbitrary inputs, and the calls that it refuses."""

import errno
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError, LocalProtocolError
from annotated_shadowsocks.tcp_model import arrival
from annotated_shadowsocks.tcp_model import segment as s
from annotated_shadowsocks.tcp_model.connection import Connection
from annotated_shadowsocks.tcp_model.effects import (
    AddRequest,
    DropSyn,
    Effect,
    QueueAccept,
    RemoveRequest,
    SendSegment,
)
from annotated_shadowsocks.tcp_model.host import Host, SocketOption
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND, seconds
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.profiles import DEFAULT, PROFILES, find
from annotated_shadowsocks.tcp_model.segment import Flow, Segment, Unreachable, UnreachableKind
from annotated_shadowsocks.tcp_model.seqnum import add
from annotated_shadowsocks.tcp_model.states import TRANSITIONS, Action, Arrival, State

SERVER = Endpoint("192.0.2.1", 80)
CLIENTS = [Endpoint("198.51.100.1", port) for port in range(1024, 1029)]


@dataclass
class Run:
    """A host, what it was given, and a ledger of what became of it."""

    host: Host
    listeners: list[Listener] = field(default_factory=list)
    accepted: list[Connection] = field(default_factory=list)
    trace: list[list[Effect]] = field(default_factory=list)
    now: int = 0

    def did(self, effects: list[Effect]) -> None:
        self.trace.append(effects)

    @property
    def effects(self) -> list[Effect]:
        return [effect for step in self.trace for effect in step]

    def numbers(self, flow: Flow) -> tuple[int, int]:
        """What is expected next from the peer, and what the host has sent."""
        request = self.host.requests.get(flow)
        if request is not None:
            return request.rcv_nxt, add(request.iss, 1)
        connection = self.host.connections.get(flow)
        if connection is not None:
            return connection.rcv_nxt, connection.snd_nxt
        sent = [e.segment for e in self.effects if isinstance(e, SendSegment)]
        mine = [one for one in sent if one.dst == flow.remote and one.flags & s.SYN]
        return (mine[-1].ack, add(mine[-1].seq, 1)) if mine else (1, 0)

    def arrival(self, segment: Segment) -> tuple[State, Arrival]:
        """What the host will take the segment for."""
        flow = segment.flow
        state = self.host.state_of(flow)
        request = self.host.requests.get(flow)
        connection = self.host.connections.get(flow)
        if request is not None and state is self.host.profile.half_open:
            strict = self.host.profile.strict_rst
            return state, arrival.at_half_open(segment, request, strict)
        if connection is None:
            return state, arrival.at_listener(segment)
        if state is State.SYN_SENT:
            return state, arrival.at_syn_sent(segment, connection.snd_una, connection.snd_nxt)
        if connection.request is not None:
            half, strict = connection.request, self.host.profile.strict_rst
            return state, arrival.at_fast_open(segment, half, connection.snd_nxt, strict)
        if state is State.TIME_WAIT:
            return state, arrival.at_time_wait(segment, connection)
        return state, arrival.at_synchronized(segment, connection)


Step = Callable[[Run], None]

near = st.sampled_from([-1, 0, 0, 0, 0, 1, 7, 65_535, 70_000, 2**31])
flags = st.sampled_from([0x02, 0x10, 0x10, 0x10, 0x18, 0x11, 0x04, 0x14, 0x12, 0x03, 0x08, 0x00])
payloads = st.sampled_from([b"", b"", b"", b"x", b"hello"])
stamps = st.sampled_from([(), (), (s.Timestamps(1, 0),), (s.Timestamps(9, 5),)])
fast_open = st.sampled_from([(), (), (s.FastOpenCookie(b""),), (s.FastOpenCookie(b"12345678"),)])


@st.composite
def segments(draw: st.DrawFn) -> Step:
    client = draw(st.sampled_from(CLIENTS))
    bits, payload = draw(flags), draw(payloads)
    seq, ack, options = draw(near), draw(near), draw(stamps) + draw(fast_open)

    def step(run: Run) -> None:
        flow = Flow(SERVER, client)
        rcv_nxt, snd_nxt = run.numbers(flow)
        # A SYN begins one before what is expected, so that the common case is the right one.
        start = add(rcv_nxt, seq - (bits >> 1 & 1))
        one = Segment(
            client, SERVER, bits, start, add(snd_nxt, ack), options=options, payload=payload
        )
        state, found = run.arrival(one)
        step = TRANSITIONS[state][found]
        assert step.action is not Action.NEVER
        effects = run.host.receive_segment(one, run.now)
        run.did(effects)
        after = run.host.state_of(flow)
        assert after in step.to, f"{one} was {found!r} in {state!r} and led to {after!r}"
        if step.action is Action.OPEN:
            # A SYN is dropped, held, answered by a cookie, or connected at once: exactly one.
            cookie = any(isinstance(e, SendSegment) and e.segment.flags & s.SYN for e in effects)
            kinds = (DropSyn, AddRequest, QueueAccept)
            ends = Counter(type(e) for e in effects if isinstance(e, kinds))
            assert sum(ends.values()) + (cookie and not ends) == 1

    return step


@st.composite
def handshakes(draw: st.DrawFn) -> Step:
    client = draw(st.sampled_from(CLIENTS))
    syn, both = draw(st.integers(0, 2**32 - 1)), draw(st.booleans())

    def step(run: Run) -> None:
        effects = run.host.receive_segment(Segment(client, SERVER, s.SYN, syn), run.now)
        run.did(effects)
        answers = [e.segment for e in effects if isinstance(e, SendSegment)]
        if both and answers and answers[0].flags & s.SYN:
            ack = Segment(client, SERVER, s.ACK, add(syn, 1), add(answers[0].seq, 1))
            run.did(run.host.receive_segment(ack, run.now))

    return step


def pass_time(duration: int) -> Step:
    def step(run: Run) -> None:
        run.now += duration
        while (at := run.host.get_timer()) is not None and at <= run.now:
            run.did(run.host.handle_timer(run.now))

    return step


def call(what: str, number: int) -> Step:
    def step(run: Run) -> None:
        listener = run.listeners[number % len(run.listeners)]
        with suppress(OSError):
            if what == "accept":
                connection, effects = run.host.accept(listener, run.now)
                run.did(effects)
                run.accepted += [connection] if connection is not None else []
            elif what == "listen":
                run.did(run.host.listen(listener, number, run.now))
            elif what == "shutdown":
                run.did(run.host.shutdown(listener, run.now))
            elif what == "close" and run.accepted:
                run.did(run.host.close(run.accepted[number % len(run.accepted)], run.now))
            elif what == "send" and run.accepted:
                one = run.accepted[number % len(run.accepted)]
                run.did(run.host.send(one, b"answer", run.now))
            elif what == "recv" and run.accepted:
                run.host.recv(run.accepted[number % len(run.accepted)], 3)
            elif what == "unreachable":
                flow = Flow(SERVER, CLIENTS[number])
                request = run.host.requests.get(flow)
                seq = request.iss if request is not None else 0
                error = Unreachable(flow, seq, UnreachableKind.HOST)
                run.did(run.host.receive_unreachable(error, run.now))

    return step


calls = st.sampled_from(["accept", "accept", "listen", "shutdown", "close", "send", "recv"])
durations = st.sampled_from([MILLISECOND, SECOND // 2, SECOND, 4 * SECOND, 64 * SECOND])
steps = st.one_of(
    segments(),
    segments(),
    handshakes(),
    handshakes(),
    st.builds(pass_time, durations),
    st.builds(call, calls | st.just("unreachable"), st.integers(0, 4)),
)
linux_settings = st.fixed_dictionaries(
    {},
    optional={
        "tcp_syncookies": st.integers(0, 2),
        "tcp_max_syn_backlog": st.integers(0, 6),
        "tcp_synack_retries": st.integers(0, 3),
        "tcp_abort_on_overflow": st.integers(0, 1),
        "tcp_fastopen": st.sampled_from([0, 3, 0x203, 0x403, 0x603]),
        "tcp_migrate_req": st.integers(0, 1),
    },
)


def play(profile: str, settings: dict[str, int], backlog: int, script: list[Step]) -> Run:
    system = find(profile)
    known = {name: value for name, value in settings.items() if name in system.knobs}
    host = Host(system, known, secret=b"property")
    run = Run(host)
    share = "tcp_migrate_req" in known
    for _ in range(1 + share):
        listener = host.bind(SERVER, reuse_port=share)
        if host.profile.features:
            host.setsockopt(listener, SocketOption.TCP_FASTOPEN, 1)
            host.setsockopt(listener, SocketOption.TCP_DEFER_ACCEPT, backlog % 3)
        run.did(host.listen(listener, backlog, 0))
        run.listeners.append(listener)
    for step in script:
        step(run)
        check(run)
    return run


def check(run: Run) -> None:
    """Nobody is lost and nobody is counted twice."""
    host, effects = run.host, run.effects
    kinds = Counter(type(effect) for effect in effects)
    deferred = sum(len(listener.deferred) for listener in run.listeners)
    held = sum(listener.syn_queue.depth for listener in run.listeners)
    assert held == len(host.requests) + deferred
    assert kinds[AddRequest] - kinds[RemoveRequest] == held
    young = sum(request.young for request in host.requests.values())
    assert sum(listener.syn_queue.young for listener in run.listeners) - deferred <= young
    waiting = sum(listener.accept_queue.depth for listener in run.listeners)
    assert waiting == sum(1 for c in connections(run) if c.listener is not None) - deferred
    assert not host.requests.keys() & host.connections.keys()
    for connection in host.connections.values():
        assert connection.state not in (State.CLOSED, State.LISTEN)


def connections(run: Run) -> list[Connection]:
    queued = [c for one in run.listeners for c in one.accept_queue.connections]
    known = {id(c): c for c in (*queued, *run.host.connections.values())}
    return list(known.values())


scripts = st.lists(steps, max_size=40)


@given(st.sampled_from(sorted(PROFILES)), linux_settings, st.integers(0, 3), scripts)
def test_no_sequence_of_inputs_raises_and_nobody_is_lost(
    profile: str, settings: dict[str, int], backlog: int, script: list[Step]
) -> None:
    play(profile, settings, backlog, script)


@given(linux_settings, st.integers(0, 3), scripts)
def test_on_linux_no_queue_grows_beyond_its_limit_and_one(
    settings: dict[str, int], backlog: int, script: list[Step]
) -> None:
    settings.pop("tcp_migrate_req", None)  # who inherits is not asked whether there is room
    run = play(DEFAULT.name, settings, backlog, script)
    limits = backlog
    for step in run.trace:
        for effect in step:
            name = type(effect).__name__
            if name == "SetLimit":
                limits = getattr(effect, "limit", limits)
            if isinstance(effect, QueueAccept):
                assert effect.depth <= limits + 1
            if isinstance(effect, AddRequest) and "TIME_WAIT" not in str(step):
                reused = any(type(e).__name__ == "ChangeState" for e in step)
                assert effect.depth <= limits + 1 or reused


@given(st.sampled_from(sorted(PROFILES)), linux_settings, st.integers(0, 3), scripts)
def test_the_same_inputs_give_the_same_trace(
    profile: str, settings: dict[str, int], backlog: int, script: list[Step]
) -> None:
    first = play(profile, settings, backlog, script)
    again = play(profile, settings, backlog, script)
    assert first.trace == again.trace
    assert first.host.counters.snapshot() == again.host.counters.snapshot()


# Calls


@pytest.fixture
def host() -> Host:
    return Host(DEFAULT)


def test_time_does_not_go_back(host: Host) -> None:
    host.handle_timer(seconds(1))
    with pytest.raises(LocalProtocolError, match="went back"):
        host.handle_timer(0)


def test_a_late_timer_is_late_and_nothing_else(host: Host) -> None:
    listener = host.bind(SERVER)
    host.listen(listener, 1, 0)
    host.receive_segment(Segment(CLIENTS[0], SERVER, s.SYN, 0), 0)
    assert host.get_timer() == SECOND
    assert host.handle_timer(SECOND - 1) == []
    host.handle_timer(5 * SECOND)
    # [linux reqsk_timer_handler] the next interval begins when the timer fired
    assert host.get_timer() == 7 * SECOND


@pytest.mark.parametrize(
    ("call", "number"),
    [
        (lambda h, x: h.bind(SERVER), errno.EADDRINUSE),
        (lambda h, x: h.bind(SERVER, reuse_port=True), errno.EADDRINUSE),
        (lambda h, x: h.accept(x, 0), errno.EINVAL),
        (lambda h, x: h.shutdown(x, 0), errno.ENOTCONN),
        (lambda h, x: h.setsockopt(x, SocketOption.TCP_FASTOPEN, -1), errno.EINVAL),
        (lambda h, x: (h.close(x, 0), h.listen(x, 1, 0)), errno.EBADF),
    ],
)
def test_calls_that_a_kernel_refuses(
    host: Host, call: Callable[[Host, Listener], object], number: int
) -> None:
    listener = host.bind(SERVER)
    with pytest.raises(OSError, match=r".") as caught:
        call(host, listener)
    assert caught.value.errno == number


def test_a_system_without_an_option_says_so() -> None:
    host = Host(find("bsd44"))
    with pytest.raises(OSError, match="bsd44 has no TCP_DEFER_ACCEPT") as caught:
        host.setsockopt(host.bind(SERVER), SocketOption.TCP_DEFER_ACCEPT, 1)
    assert caught.value.errno == errno.ENOPROTOOPT


def test_two_connections_cannot_have_the_same_ends(host: Host) -> None:
    host.connect(CLIENTS[0], SERVER, 0)
    with pytest.raises(OSError, match="exists") as caught:
        host.connect(CLIENTS[0], SERVER, 0)
    assert caught.value.errno == errno.EADDRINUSE


def test_nobody_to_accept_is_none(host: Host) -> None:
    listener = host.bind(SERVER)
    host.listen(listener, 1, 0)
    assert host.accept(listener, 0) == (None, [])


def test_closing_twice_is_closing_once(host: Host) -> None:
    listener = host.bind(SERVER)
    host.listen(listener, 1, 0)
    host.close(listener, 0)
    assert host.close(listener, 0) == []
    assert host.state_of(Flow(SERVER, CLIENTS[0])) is State.CLOSED


def test_a_wildcard_takes_every_address(host: Host) -> None:
    listener = host.bind(Endpoint("0.0.0.0", 80))
    host.listen(listener, 1, 0)
    assert host.state_of(Flow(SERVER, CLIENTS[0])) is State.LISTEN
    assert host.state_of(Flow(Endpoint("192.0.2.1", 81), CLIENTS[0])) is State.CLOSED


def test_options_that_can_be_read_back(host: Host) -> None:
    listener = host.bind(SERVER)
    # [linux do_tcp_getsockopt] TCP_SYNCNT unset shows tcp_syn_retries
    assert host.getsockopt(listener, SocketOption.TCP_SYNCNT) == 6
    for option, given_value, read in (
        (SocketOption.TCP_SYNCNT, 9, 9),
        (SocketOption.TCP_DEFER_ACCEPT, 10, 15),
        (SocketOption.TCP_FASTOPEN, 99_999, 4096),
    ):
        host.setsockopt(listener, option, given_value)
        assert host.getsockopt(listener, option) == read


def test_settings_change_while_it_runs(host: Host) -> None:
    host.set_sysctl("tcp_syncookies", 0)
    assert host.sysctl.tcp_syncookies == 0
    with pytest.raises(ConfigError, match="tcp_migrate_req: 2 is impossible"):
        host.set_sysctl("tcp_migrate_req", 2)


def test_a_finished_connection_leaves_nothing_behind() -> None:
    host = Host(DEFAULT)
    listener = host.bind(SERVER)
    host.listen(listener, 5, 0)
    client = Host(DEFAULT)
    connection, effects = client.connect(CLIENTS[0], SERVER, 0)
    pending = [e.segment for e in effects if isinstance(e, SendSegment)]
    closed = False
    for now in range(200):
        one = pending.pop(0) if pending else None
        if one is not None:
            target = host if one.dst == SERVER else client
            done = target.receive_segment(one, now)
            pending += [e.segment for e in done if isinstance(e, SendSegment)]
        elif not closed:
            served, _ = host.accept(listener, now)
            assert served is not None
            pending += sent(client.close(connection, now)) + sent(host.close(served, now))
            closed = True
    for one_host in (host, client):
        while (at := one_host.get_timer()) is not None:
            one_host.handle_timer(at)
        assert not one_host.connections
        assert not one_host.requests


def sent(effects: list[Effect]) -> list[Segment]:
    return [e.segment for e in effects if isinstance(e, SendSegment)]
