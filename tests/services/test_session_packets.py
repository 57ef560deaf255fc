"""Packets of sessions at both ends of the tunnel, and at a hop; octets are those of the vectors."""

import pytest

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import AuthenticationError, ReplayError, Truncated
from annotated_shadowsocks.services.packets import LocalPackets
from annotated_shadowsocks.services.session_packets import (
    HopPackets,
    ServerSessionPackets,
    SessionSeal,
)
from annotated_shadowsocks.shadowsocks.aead2022_session import (
    REMEMBERED,
    ClientSession,
    SessionTable,
)
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable, User
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.socks5 import udp
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.sip022 import TARGET, VECTORS, Vector, timestamps
from annotated_shadowsocks.wire import address

every_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)

AES = VECTORS["2022-blake3-aes-128-gcm"]
SERVER = Endpoint("192.0.2.1", 8388)
HOME, AWAY = ("203.0.113.9", 40000), ("198.51.100.3", 40001)
QUESTION = udp.encode(TARGET, b"question")


def buffer() -> memoryview:
    return memoryview(bytearray(1 << 17))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Ends:
    """A client's front, and a server's."""

    def __init__(self, vector: Vector, *users: User, chain: KeyChain | None = None) -> None:
        self.clock = Clock()
        self.table = SessionTable(timestamps(), entropy)
        self.keys = KeyTable(vector.psk, users or None)
        self.server = ServerSessionPackets(self.keys, self.table, entropy, self.clock)
        self.chain = chain or KeyChain(vector.psk)
        self.local = LocalPackets(lambda client: self.seal())

    def seal(self) -> SessionSeal:
        session = ClientSession(self.chain, timestamps(), entropy)
        return SessionSeal(SERVER, session, entropy, self.clock)

    def asked(self, datagram: bytes = QUESTION) -> bytes:
        """The client's next packet."""
        flow, to, packet = self.local.inward(memoryview(datagram), HOME, buffer())
        assert (flow, to) == (HOME, SERVER)
        return bytes(packet)


@every_vector
def test_there_and_back(vector: Vector) -> None:
    ends = Ends(vector)
    packet = memoryview(ends.asked())
    session, target, data = ends.server.inward(packet, HOME, buffer())
    assert (target, bytes(data)) == (TARGET, b"question")
    answer = bytes(ends.server.outward(session, TARGET, memoryview(b"answer"), buffer()))
    datagram = ends.local.outward(HOME, SERVER, memoryview(answer), buffer())
    assert bytes(datagram) == udp.encode(TARGET, b"answer")
    with pytest.raises(ReplayError):
        ends.local.outward(HOME, SERVER, memoryview(answer), buffer())


@every_vector
def test_a_session_is_one_flow_wherever_it_is(vector: Vector) -> None:
    ends = Ends(vector)
    packets = [memoryview(ends.asked()) for _ in range(2)]
    session, _, _ = ends.server.inward(packets[0], HOME, buffer())
    moved, _, _ = ends.server.inward(packets[1], AWAY, buffer())
    assert moved is session
    for packet in packets:
        with pytest.raises(ReplayError):
            ends.server.inward(packet, AWAY, buffer())


@every_vector
def test_questions_to_name_servers_are_padded_and_so_are_answers(vector: Vector) -> None:
    ends = Ends(vector)
    name_server = Endpoint("192.0.2.53", 53)
    sizes = {len(ends.asked(udp.encode(name_server, b"q" * 20))) for _ in range(30)}
    assert len(sizes) > 10
    assert len({len(ends.asked()) for _ in range(30)}) == 1
    session, _, _ = ends.server.inward(memoryview(ends.asked()), HOME, buffer())
    for source, most in (name_server, 30), (TARGET, 1):
        answers = [
            bytes(ends.server.outward(session, source, memoryview(b"a"), buffer()))
            for _ in range(30)
        ]
        assert most // 3 < len({len(answer) for answer in answers}) <= most
        for answer in answers:
            plain = ends.local.outward(HOME, SERVER, memoryview(answer), buffer())
            assert bytes(plain) == udp.encode(source, b"a")


def test_each_user_has_a_share_and_each_host_without_users() -> None:
    ends = Ends(AES, User("bob", AES.upsk), chain=KeyChain(AES.upsk, (AES.psk,)))
    session, _, _ = ends.server.inward(memoryview(ends.asked()), HOME, buffer())
    assert ends.server.owner(session, HOME) == ends.server.owner(session, AWAY) == "bob"
    ends = Ends(AES)
    session, _, _ = ends.server.inward(memoryview(ends.asked()), HOME, buffer())
    assert ends.server.owner(session, HOME) == HOME[0]


def test_a_flow_that_ended_is_remembered() -> None:
    ends = Ends(AES)
    packet, later = memoryview(ends.asked()), memoryview(ends.asked())
    session, _, _ = ends.server.inward(packet, HOME, buffer())
    ends.server.closed(session)
    ends.clock.now += REMEMBERED - 1
    with pytest.raises(ReplayError):
        ends.server.inward(packet, HOME, buffer())
    again, _, _ = ends.server.inward(later, HOME, buffer())
    assert again is session


def test_keys_that_are_replaced_leave_sessions_alone() -> None:
    bob, alice = User("bob", AES.upsk), User("alice", PreSharedKey(AES.method, bytes(16)))
    ends = Ends(AES, bob, chain=KeyChain(AES.upsk, (AES.psk,)))
    session, _, _ = ends.server.inward(memoryview(ends.asked()), HOME, buffer())
    ends.server.keys = KeyTable(AES.psk, [bob, alice])
    again, _, _ = ends.server.inward(memoryview(ends.asked()), HOME, buffer())
    assert again is session
    ends.server.keys = KeyTable(AES.psk, [alice])
    with pytest.raises(AuthenticationError):
        ends.server.inward(memoryview(ends.asked()), HOME, buffer())


def test_a_new_flow_of_a_client_is_a_new_session() -> None:
    ends = Ends(AES)
    first, _, _ = ends.server.inward(memoryview(ends.asked()), HOME, buffer())
    ends.local.closed(HOME)
    ends.local.closed(HOME)
    second, _, _ = ends.server.inward(memoryview(ends.asked()), HOME, buffer())
    assert first is not second


def test_junk_of_a_client_begins_no_session() -> None:
    ends = Ends(AES)
    with pytest.raises(Truncated):
        ends.local.inward(memoryview(b"\0\0"), HOME, buffer())
    assert ends.local._seals == {}


# --- hops ---------------------------------------------------------------------------------------

MIDDLE = TABLE["2022-blake3-aes-128-gcm"]


def hop_keys() -> tuple[PreSharedKey, PreSharedKey, PreSharedKey]:
    """The hop's key, the server's, and the user's."""
    hop, server, user = (PreSharedKey(MIDDLE, bytes([n]) * 16) for n in range(1, 4))
    return hop, server, user


def test_a_hop_passes_on_what_the_next_server_opens() -> None:
    hop_psk, server_psk, upsk = hop_keys()
    hop = HopPackets(KeyTable(hop_psk, [User("next", server_psk)]), {"next": SERVER})
    chain = KeyChain(upsk, (hop_psk, server_psk))
    session = ClientSession(chain, timestamps(), entropy)
    out = buffer()
    packet = out[: session.seal(address.encode(TARGET) + b"question", out)]
    flow, to, passed = hop.inward(packet, HOME, buffer())
    assert (flow, to) == (HOME, SERVER)
    assert len(passed) == len(packet) - 16
    assert hop.owner(flow, HOME) == HOME[0]
    # The next server's own key table, made without any hop in mind.
    table = SessionTable(timestamps(), entropy)
    keys = KeyTable(server_psk, [User("bob", upsk)])
    found, target, data = table.open(keys, passed, buffer(), 0.0)
    assert (found.user.name, target, bytes(data)) == ("bob", TARGET, b"question")
    out = buffer()
    answer = bytes(out[: found.seal(address.encode(TARGET) + b"answer", out)])
    back = hop.outward(HOME, SERVER, memoryview(answer), buffer())
    assert bytes(back) == answer
    plain = buffer()
    place = session.open(back, plain, 0.0)
    assert bytes(plain[place]) == address.encode(TARGET) + b"answer"
    hop.closed(flow)


def test_a_hop_passes_on_no_junk() -> None:
    hop_psk, server_psk, _ = hop_keys()
    hop = HopPackets(KeyTable(hop_psk, [User("next", server_psk)]), {"next": SERVER})
    for size in (0, 16, 47):
        with pytest.raises(Truncated):
            hop.inward(memoryview(bytes(size)), HOME, buffer())
    with pytest.raises(AuthenticationError):
        hop.inward(memoryview(entropy(100)), HOME, buffer())
