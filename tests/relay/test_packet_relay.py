import socket
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import PolicyRejected, RemoteProtocolError, ResolveError
from annotated_shadowsocks.relay.packet_outlet import Outside
from annotated_shadowsocks.relay.packet_relay import (
    Address,
    PacketLimits,
    PacketRelay,
    Postponed,
)
from annotated_shadowsocks.relay.poller import READ, EpollPoller, LoopPoller, Poller
from annotated_shadowsocks.testing.loopback import no_descriptors_left, open_descriptors, pair
from annotated_shadowsocks.testing.manual_loop import ManualLoop
from annotated_shadowsocks.wire import address
from annotated_shadowsocks.wire.address import UnknownAddressType

Looked = Callable[[list[str] | ResolveError], None]


class AddressInFront:
    """Datagrams that begin with where they go, or where they come from, and are not sealed.

    One whose data is ``{name}...`` is of the flow of that name, wherever it comes from.
    """

    def __init__(self) -> None:
        self.served = True
        self.ended: list[Hashable] = []

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[Hashable, Endpoint, memoryview]:
        if not self.served:
            raise PolicyRejected(client[0], "not served")
        if bytes(datagram[:5]) == b"crash":
            raise ZeroDivisionError("boom")
        target, end = address.decode(datagram)
        size = len(datagram) - end
        out[:size] = datagram[end:]
        data = bytes(datagram[end:])
        flow = data[: data.index(b"}")] if data.startswith(b"{") else client
        return flow, target, out[:size]

    def outward(
        self, flow: Hashable, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        if bytes(datagram) == b"forged":
            raise RemoteProtocolError("forged")
        whole = address.encode(source) + datagram
        out[: len(whole)] = whole
        return out[: len(whole)]

    def owner(self, flow: Hashable, client: Address) -> Hashable:
        return client[0]

    def user(self, flow: Hashable) -> str:
        return flow.decode().strip("{") if isinstance(flow, bytes) else ""

    def closed(self, flow: Hashable) -> None:
        self.ended.append(flow)


@dataclass
class Count:
    """An account."""

    packets_from_client: int = 0
    packets_from_targets: int = 0
    from_client: int = 0
    from_targets: int = 0


class FailingSocket(socket.socket):
    """A datagram socket that raises what ``script`` has next instead of its work."""

    script: list[OSError]

    def _fail(self) -> None:
        if self.script:
            raise self.script.pop(0)

    def sendto(self, *args: Any) -> int:
        self._fail()
        return super().sendto(*args)

    def recvfrom_into(self, *args: Any) -> Any:
        self._fail()
        return super().recvfrom_into(*args)


def udp(host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(30)
    return sock


def place(sock: socket.socket) -> Endpoint:
    return Endpoint(*sock.getsockname()[:2])


class Fixture:
    def __init__(self, new_poller: type[EpollPoller | LoopPoller]) -> None:
        self.loop = ManualLoop()
        self.poller: Poller = new_poller(self.loop)
        self.sock = FailingSocket(fileno=udp().detach())
        self.sock.setblocking(False)
        self.sock.script = []
        self.target = udp()
        self.front = AddressInFront()
        self.second = udp("127.0.0.3")
        self.second.setblocking(False)
        self.looked: dict[str, Looked] = {}
        self.lookups: list[str] = []
        self.cancelled: list[str] = []
        self.opened = [self.sock, self.second, self.target]
        self.forbidden = ""
        self.failures: list[tuple[type, str]] = []
        self.relay = self.serve(PacketLimits())

    def serve(self, limits: PacketLimits, *, strict: bool = False) -> PacketRelay[Hashable]:
        """Another relay on the same sockets, with these limits."""
        self.accounts: dict[str, Count] = {}
        self.relay = PacketRelay(
            Outside(self.poller, self.lookup, self.check, strict),
            self.loop,
            [self.sock, self.second],
            self.front,
            limits,
            lambda error, client: self.failures.append((type(error), client[0])),
            account_of=lambda user: self.accounts.setdefault(user, Count()),
        )
        return self.relay

    def lookup(self, host: str, done: Looked) -> Callable[[], object]:
        """Literals at once; a name when the test says so."""
        self.lookups.append(host)
        if host.endswith(".test"):
            self.looked[host] = done
        else:
            done([host])
        return lambda: self.cancelled.append(host)

    def check(self, literal: str) -> None:
        if literal == self.forbidden:
            raise PolicyRejected(literal, "forbidden")

    def client(self, host: str = "127.0.0.1") -> socket.socket:
        self.opened.append(udp(host))
        return self.opened[-1]

    def send(
        self,
        client: socket.socket,
        data: bytes,
        target: Endpoint | None = None,
        *,
        run: bool = True,
    ) -> None:
        head = address.encode(target or place(self.target))
        client.sendto(head + data, self.sock.getsockname())
        if run:
            self.loop.settle()

    def source_of(self, data: bytes) -> Any:
        """Who sent the next datagram that the target has, which must be ``data``."""
        datagram, source = self.target.recvfrom(65536)
        assert datagram == data
        return source

    def answer(self, data: bytes, to: Any) -> None:
        self.target.sendto(data, to)
        self.loop.settle()


@pytest.fixture(params=[EpollPoller, LoopPoller])
def made(request: pytest.FixtureRequest) -> Iterator[Fixture]:
    before = open_descriptors()
    made = Fixture(request.param)
    yield made
    made.relay.close()
    assert len(made.relay) == 0
    assert len(made.poller) == 0
    assert made.loop.timers() == []
    made.poller.stop()
    for sock in made.opened:
        sock.close()
    assert open_descriptors() == before


def silent(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        sock.recv(1)
    except BlockingIOError:
        return True
    finally:
        sock.settimeout(30)
    return False


# -- there and back -------------------------------------------------------------------------------


def test_there_and_back(made: Fixture) -> None:
    client = made.client()
    made.send(client, b"question")
    made.answer(b"answer", made.source_of(b"question"))
    assert client.recv(100) == address.encode(place(made.target)) + b"answer"
    assert (made.relay.from_clients, made.relay.to_clients) == (1, 1)
    assert not made.relay.dropped


def test_a_target_sees_one_source_for_one_client(made: Fixture) -> None:
    one, two, another_target = made.client(), made.client(), udp()
    made.send(one, b"1")
    source = made.source_of(b"1")
    made.send(one, b"2")
    assert made.source_of(b"2") == source
    made.send(one, b"3", place(another_target))
    assert another_target.recvfrom(10) == (b"3", source)
    made.send(two, b"4")
    assert made.source_of(b"4") != source
    assert len(made.relay) == 2
    another_target.close()


def test_whoever_sends_to_an_association_is_named(made: Fixture) -> None:
    client, stranger = made.client(), made.client("127.0.0.9")
    made.send(client, b"question")
    stranger.sendto(b"hello", made.source_of(b"question"))
    made.loop.settle()
    assert client.recv(100) == address.encode(place(stranger)) + b"hello"


def test_ipv6_has_a_socket_of_its_own(made: Fixture) -> None:
    client, target = made.client(), udp("::1")
    made.send(client, b"4")
    made.send(client, b"6", place(target))
    data, source = target.recvfrom(10)
    assert data == b"6"
    target.sendto(b"back", source)
    made.loop.settle()
    assert client.recv(100) == address.encode(place(target)) + b"back"
    assert len(made.relay) == 1
    target.close()


def test_an_empty_datagram_is_a_datagram(made: Fixture) -> None:
    client = made.client()
    made.send(client, b"")
    made.answer(b"", made.source_of(b""))
    assert client.recv(100) == address.encode(place(made.target))


def test_the_largest_datagram(made: Fixture) -> None:
    client = made.client()
    largest = bytes(range(256)) * 256
    made.send(client, largest[: 65507 - 7])
    made.answer(largest[: 65507 - 7], made.source_of(largest[: 65507 - 7]))
    assert client.recv(65536) == address.encode(place(made.target)) + largest[: 65507 - 7]


def test_a_burst_finds_more_room_than_by_default(made: Fixture) -> None:
    untouched = made.client().getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    for sock in made.relay.sockets:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > untouched


def test_a_burst_is_taken_in_batches(made: Fixture) -> None:
    client = made.client()
    seen: list[int] = []
    inner, outer = pair()

    class Neighbour:
        def ready(self, events: int) -> None:
            seen.append(made.relay.from_clients)

        def abandon(self, error: Exception) -> None:
            raise AssertionError

    outer.send(b"x")
    made.poller.watch(inner, READ, Neighbour())
    for _ in range(100):
        made.send(client, b"x", run=False)
    made.loop.run_until(lambda: made.relay.from_clients == 100)
    assert 64 in seen
    made.poller.close(inner)
    outer.close()


# -- what is dropped ------------------------------------------------------------------------------


def test_what_is_not_authentic_leaves_nothing_behind(made: Fixture) -> None:
    made.client("127.0.0.5").sendto(b"\xff", made.sock.getsockname())
    made.loop.settle()
    assert made.relay.dropped == {"protocol": 1}
    assert made.failures == [(UnknownAddressType, "127.0.0.5")]
    assert len(made.relay) == 0
    assert silent(made.target)


def test_a_client_that_is_not_served(made: Fixture) -> None:
    made.front.served = False
    made.send(made.client(), b"x")
    assert made.relay.dropped == {"policy": 1}
    assert made.failures == []
    assert len(made.relay) == 0


def test_an_answer_that_is_not_authentic(made: Fixture) -> None:
    client = made.client()
    made.send(client, b"x")
    source = made.source_of(b"x")
    made.target.sendto(b"forged", source)
    made.answer(b"true", source)
    assert client.recv(100).endswith(b"true")
    assert made.relay.dropped == {"protocol": 1}
    # It is no fault of the client's that anybody may send to its association.
    assert made.failures == []
    assert made.relay.to_clients == 1


def test_junk_keeps_nothing_alive(made: Fixture) -> None:
    made.send(made.client(), b"x")
    source = made.source_of(b"x")
    for _ in range(4):
        made.loop.advance(made.relay.limits.timeout / 3)
        made.target.sendto(b"forged", source)
        made.loop.advance(0)
    assert len(made.relay) == 0


def test_a_full_buffer_towards_the_client_drops_one_and_counts_it(made: Fixture) -> None:
    client = made.client()
    made.send(client, b"x")
    source = made.source_of(b"x")
    made.sock.script = [BlockingIOError()]
    made.target.sendto(b"lost", source)
    made.answer(b"next", source)
    assert client.recv(100).endswith(b"next")
    assert made.relay.dropped == {"os": 1}
    assert made.relay.to_clients == 1


class FullSocket(FailingSocket):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.script = [BlockingIOError()]


def test_a_full_buffer_towards_the_target_drops_one_and_counts_it(
    made: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = made.client()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", FullSocket)
        made.send(client, b"lost")
    made.send(client, b"next")
    made.source_of(b"next")
    assert made.relay.dropped == {"os": 1}
    assert made.relay.from_clients == 1


def test_an_icmp_error_is_about_one_datagram(
    made: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = made.client()
    made.sock.script = [ConnectionRefusedError()]
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", FailingBack)
        made.send(client, b"x")
    made.answer(b"y", made.source_of(b"x"))
    assert client.recv(100).endswith(b"y")
    assert made.relay.dropped == {"reset": 2}


class FailingBack(FailingSocket):
    """Sends well, and reports an error before it receives."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.script = []

    def sendto(self, *args: Any) -> int:
        sent = super().sendto(*args)
        self.script = [ConnectionRefusedError()]
        return sent


def test_a_target_that_cannot_be_reached(made: Fixture) -> None:
    client = made.client()
    made.send(client, b"x", Endpoint("255.255.255.255", 9))
    made.send(client, b"x", Endpoint("127.0.0.1", 0))
    assert made.relay.dropped.total() == 2
    made.send(client, b"y")
    made.source_of(b"y")


def test_out_of_descriptors(made: Fixture) -> None:
    client = made.client()
    with no_descriptors_left():
        made.send(client, b"lost")
    assert made.relay.dropped == {"os": 1}
    made.send(client, b"next")
    made.source_of(b"next")


def test_a_crash_costs_one_datagram(made: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    made.client().sendto(b"crash", made.sock.getsockname())
    made.send(made.client(), b"x")
    made.source_of(b"x")
    assert made.relay.dropped == {"bug": 1}
    assert "ZeroDivisionError" in caplog.text


def test_a_crash_behind_an_association_ends_that_one(
    made: Fixture, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = made.front.outward

    def crashing(
        flow: Hashable, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        if bytes(datagram) == b"crash":
            # Which may well happen when it has ended already.
            made.relay.forget_owner("127.0.0.2")
            raise ZeroDivisionError
        return well(flow, source, datagram, out)

    monkeypatch.setattr(made.front, "outward", crashing)
    one, two = made.client("127.0.0.2"), made.client("127.0.0.3")
    for client, data in (one, b"1"), (two, b"2"):
        made.send(client, data)
    sources = [made.source_of(b"1"), made.source_of(b"2")]
    made.answer(b"crash", sources[0])
    assert len(made.relay) == 1
    made.answer(b"well", sources[1])
    assert two.recv(100).endswith(b"well")
    assert "not closed" not in caplog.text


# -- how associations end -------------------------------------------------------------------------


def test_silence_on_both_sides_ends_it(made: Fixture) -> None:
    made.serve(PacketLimits(timeout=300))
    client = made.client()
    made.send(client, b"1")
    source = made.source_of(b"1")
    made.loop.advance(299)
    assert len(made.relay) == 1
    made.loop.advance(1)
    assert len(made.relay) == 0
    made.answer(b"too late", source)
    assert silent(client)
    made.send(client, b"2")
    made.source_of(b"2")
    assert len(made.relay) == 1


def test_either_side_keeps_it_alive(made: Fixture) -> None:
    client = made.client()
    made.send(client, b"1")
    source = made.source_of(b"1")
    for _ in range(3):
        made.loop.advance(200)
        made.answer(b"still here", source)
        assert client.recv(100).endswith(b"still here")
    for _ in range(3):
        made.loop.advance(200)
        made.send(client, b"still there")
        assert made.source_of(b"still there") == source
    made.loop.advance(300)
    assert len(made.relay) == 0


def ports(made: Fixture, clients: list[socket.socket]) -> list[int]:
    """Under which port the target sees each client now."""
    seen = []
    for client in clients:
        made.send(client, b"?")
        seen.append(made.source_of(b"?")[1])
        made.loop.advance(1)
    return seen


def test_a_host_gives_up_its_own_most_idle_association(made: Fixture) -> None:
    made.serve(PacketLimits(per_owner=2))
    other = made.client("127.0.0.8")
    [other_port] = ports(made, [other])
    first, second, third = clients = [made.client() for _ in range(3)]
    before = ports(made, [first, second])
    # The first is older, and in use.
    assert ports(made, [first]) == before[:1]
    ports(made, [third])
    assert len(made.relay) == 3
    after = ports(made, clients[:1])
    assert after == before[:1]
    assert ports(made, [other]) == [other_port]
    # The second is the one that ended: it has another port now, and the third had to go.
    assert ports(made, [second]) != before[1:]
    assert len(made.relay) == 3


def test_where_all_places_are_taken_the_most_idle_goes(made: Fixture) -> None:
    made.serve(PacketLimits(associations=2))
    one, two = made.client("127.0.0.2"), made.client("127.0.0.3")
    before = ports(made, [one, two, one])
    assert before[0] == before[2]
    ports(made, [made.client("127.0.0.4")])
    assert len(made.relay) == 2
    assert ports(made, [one]) == before[:1]


def test_where_all_places_are_taken_a_host_gives_up_its_own(made: Fixture) -> None:
    made.serve(PacketLimits(associations=3))
    idle = made.client("127.0.0.2")
    [idle_port] = ports(made, [idle])
    flood = [made.client("127.0.0.3") for _ in range(20)]
    ports(made, flood)
    assert len(made.relay) == 3
    assert ports(made, [idle]) == [idle_port]


def test_forgetting_an_owner(made: Fixture) -> None:
    clients = [made.client(), made.client(), made.client("127.0.0.7")]
    ports(made, clients)
    made.relay.forget_owner("127.0.0.1")
    made.relay.forget_owner("127.0.0.1")
    made.relay.forget_owner("192.0.2.1")
    assert len(made.relay) == 1


# -- what takes a while ---------------------------------------------------------------------------


class Thinking(AddressInFront):
    """Postpones what is new to it, once."""

    def __init__(self) -> None:
        super().__init__()
        self.postponed: list[Postponed] = []
        self.known: set[bytes] = set()

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[Hashable, Endpoint, memoryview]:
        if bytes(datagram) not in self.known:
            self.known.add(bytes(datagram))
            self.postponed.append(Postponed())
            raise self.postponed[-1]
        return super().inward(datagram, client, out)


def test_a_datagram_is_judged_when_its_front_can(made: Fixture) -> None:
    made.front = front = Thinking()
    made.serve(PacketLimits())
    client = made.client()
    made.send(client, b"first")
    made.send(client, b"second")
    assert len(made.relay) == 0
    one, two = front.postponed
    two.resume(None)
    made.answer(b"answer", made.source_of(b"second"))
    assert client.recv(100).endswith(b"answer")
    one.resume(RemoteProtocolError("on reflection"))
    assert made.relay.dropped == {"protocol": 1}
    assert made.failures == [(RemoteProtocolError, "127.0.0.1")]


def test_an_answer_after_the_end_is_too_late(made: Fixture) -> None:
    made.front = front = Thinking()
    made.serve(PacketLimits())
    made.send(made.client(), b"first")
    made.relay.close()
    front.postponed[0].resume(None)
    assert len(made.relay) == 0
    assert silent(made.target)


# -- flows that are not addresses -----------------------------------------------------------------


def test_answers_go_where_the_flow_was_heard_last(made: Fixture) -> None:
    home, away = made.client("127.0.0.5"), made.client("127.0.0.6")
    made.send(home, b"{a}1")
    source = made.source_of(b"{a}1")
    made.send(away, b"{a}2")
    # To the target it is the same client.
    assert made.source_of(b"{a}2") == source
    made.answer(b"answer", source)
    assert away.recv(100).endswith(b"answer")
    assert silent(home)
    assert len(made.relay) == 1


def test_a_datagram_that_is_not_good_moves_nothing(made: Fixture) -> None:
    home, away = made.client("127.0.0.5"), made.client("127.0.0.6")
    made.send(home, b"{a}1")
    source = made.source_of(b"{a}1")
    away.sendto(b"\xff{a}", made.sock.getsockname())
    made.loop.settle()
    made.answer(b"answer", source)
    assert home.recv(100).endswith(b"answer")
    assert silent(away)


def test_answers_leave_by_the_socket_that_was_asked(made: Fixture) -> None:
    client = made.client()
    for sock in (made.sock, made.second, made.sock):
        data = address.encode(place(made.target)) + b"{a}"
        client.sendto(data, sock.getsockname())
        made.loop.settle()
        made.answer(b"answer", made.source_of(b"{a}"))
        assert client.recvfrom(100)[1] == sock.getsockname()
    assert len(made.relay) == 1


def test_a_flow_that_moves_stays_with_its_first_owner(made: Fixture) -> None:
    made.serve(PacketLimits(per_owner=2))
    home, away = made.client("127.0.0.5"), made.client("127.0.0.6")
    made.send(home, b"{a}")
    made.send(away, b"{a}")
    made.loop.advance(1)
    made.send(away, b"{b}")
    made.send(away, b"{c}")
    assert len(made.relay) == 3
    assert made.front.ended == []
    made.relay.forget_owner("127.0.0.5")
    assert made.front.ended == [b"{a"]


def test_what_a_user_had_is_on_their_account(made: Fixture) -> None:
    client, nobody = made.client(), made.client()
    made.send(nobody, b"x")
    made.source_of(b"x")
    assert made.accounts == {}
    for _ in range(2):
        made.send(client, b"{a}12345")
        source = made.source_of(b"{a}12345")
    made.answer(b"answer", source)
    assert silent(nobody)
    # An address of IPv4 has seven octets.
    assert made.accounts == {"a": Count(2, 1, 2 * (7 + 8), 7 + 6)}


def test_the_front_is_told_of_each_end_once(made: Fixture) -> None:
    made.serve(PacketLimits(timeout=10, per_owner=2))
    client = made.client()
    for name in (b"{a}", b"{b}", b"{c}"):
        made.send(client, name)
        made.loop.advance(1)
    assert made.front.ended == [b"{a"]
    made.loop.advance(8)
    assert made.front.ended == [b"{a", b"{b"]
    made.relay.close()
    made.relay.close()
    assert made.front.ended == [b"{a", b"{b", b"{c"]


def test_names_its_places(made: Fixture) -> None:
    assert str(made.relay) == f"{place(made.sock)}, {place(made.second)}"


def test_close_leaves_the_socket_to_its_owner(made: Fixture) -> None:
    client = made.client()
    made.send(client, b"x")
    made.relay.close()
    made.relay.close()
    assert len(made.relay) == 0
    made.send(client, b"y")
    made.serve(PacketLimits())
    made.loop.settle()
    made.source_of(b"x")
    made.source_of(b"y")


# -- names ----------------------------------------------------------------------------------------


def test_datagrams_wait_for_a_name_in_order(made: Fixture) -> None:
    client = made.client()
    name = Endpoint("a.test", place(made.target).port)
    for data in b"1", b"2", b"3":
        made.send(client, data, name)
    assert made.lookups == ["a.test"]
    made.looked["a.test"](["127.0.0.1", "192.0.2.1"])
    for data in b"1", b"2", b"3":
        made.source_of(data)
    made.send(client, b"4", name)
    made.source_of(b"4")
    assert made.lookups == ["a.test"]


def test_a_name_that_is_not_found(made: Fixture) -> None:
    client = made.client()
    for _ in range(2):
        made.send(client, b"x", Endpoint("a.test", 9))
    made.looked["a.test"](ResolveError("no such name"))
    assert made.relay.dropped == {"resolve": 2}
    # Asked again by the next datagram: how long an error is remembered is the resolver's to say.
    made.send(client, b"x", Endpoint("a.test", 9))
    assert made.lookups == ["a.test"] * 2


def test_a_name_without_an_address(made: Fixture) -> None:
    made.send(made.client(), b"x", Endpoint("a.test", 9))
    made.looked["a.test"]([])
    assert made.relay.dropped == {"resolve": 1}


def test_what_is_forbidden_is_not_sent_to(made: Fixture) -> None:
    made.forbidden = "127.0.0.1"
    made.send(made.client(), b"x")
    assert made.relay.dropped == {"policy": 1}
    assert silent(made.target)


def test_what_else_a_name_has_is_sent_to(made: Fixture) -> None:
    made.forbidden = "127.0.0.2"
    made.send(made.client(), b"x", Endpoint("a.test", place(made.target).port))
    made.looked["a.test"](["127.0.0.2", "127.0.0.1"])
    made.source_of(b"x")


def test_few_datagrams_wait_however_many_names_there_are(made: Fixture) -> None:
    one, two = made.client(), made.client()
    for number in range(100):
        made.send(one, b"x", Endpoint(f"{number}.test", place(made.target).port))
    assert len(made.lookups) - len(made.cancelled) == 32
    assert made.relay.dropped == {"waiting": 68}
    for _ in range(40):
        made.send(two, b"y", Endpoint("two.test", place(made.target).port))
    assert made.relay.dropped == {"waiting": 68 + 8}
    # What is known does not wait, and is not dropped.
    made.send(one, b"literal")
    made.source_of(b"literal")
    # One answer makes room for one.
    made.looked["0.test"](["127.0.0.1"])
    made.source_of(b"x")
    made.send(one, b"z", Endpoint("z.test", place(made.target).port))
    made.looked["z.test"](["127.0.0.1"])
    made.source_of(b"z")


def test_an_answer_for_an_association_that_has_ended(made: Fixture) -> None:
    made.send(made.client(), b"x", Endpoint("a.test", place(made.target).port))
    made.relay.forget_owner("127.0.0.1")
    made.looked["a.test"](["127.0.0.1"])
    assert silent(made.target)
    assert len(made.relay) == 0
    assert not made.relay.dropped


def test_more_targets_than_are_remembered(made: Fixture) -> None:
    client = made.client()
    for number in range(300):
        made.send(client, b"x", Endpoint("127.0.0.1", 20000 + number))
    made.send(client, b"y")
    made.source_of(b"y")
