"""What sessions claim in a memory that outlives their table; see ``aead2022_session``."""

import pytest

from annotated_shadowsocks.errors import RemoteProtocolError, ReplayError
from annotated_shadowsocks.shadowsocks.aead2022_session import (
    REMEMBERED,
    ServerSession,
    SessionTable,
)
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable
from annotated_shadowsocks.shadowsocks.timestamp import Timestamps
from annotated_shadowsocks.system import entropy
from annotated_shadowsocks.testing.packet_client import PacketClient
from annotated_shadowsocks.testing.sip022 import TARGET, TIME, VECTORS

PSK = VECTORS["2022-blake3-aes-128-gcm"].psk
KEYS = KeyTable(PSK)
OUT = memoryview(bytearray(4096))


class Ends:
    """A client and tables, a clock that is set by hand, and a memory that counts."""

    def __init__(self) -> None:
        self.wall = float(TIME)
        self.known: set[bytes] = set()
        self.client = PacketClient(KeyChain(PSK), self.now)

    def now(self) -> float:
        return self.wall

    def add(self, salt: bytes, timestamp: int = 0) -> bool:
        fresh = salt not in self.known
        self.known.add(salt)
        return fresh

    def table(self) -> SessionTable:
        return SessionTable(Timestamps(self.now), entropy, self)

    def sealed(self) -> bytes:
        return self.client.seal(TARGET, b"ping")


def heard(table: SessionTable, packet: bytes) -> ServerSession:
    session, target, data = table.open(KEYS, memoryview(packet), OUT, 0.0)
    assert (target, bytes(data)) == (TARGET, b"ping")
    return session


def test_what_a_table_has_heard_the_next_one_refuses() -> None:
    ends = Ends()
    first = ends.table()
    recorded = [ends.sealed() for _ in range(3)]
    for packet in recorded:
        heard(first, packet)
    # One claim stands for all packets of a second.
    assert len(ends.known) == 1
    again = ends.table()
    for packet in recorded:
        with pytest.raises(ReplayError, match="before this table began"):
            heard(again, packet)
    assert len(again) == 0
    # The next second's packets were heard by nobody, and so the session goes on.
    ends.wall += 1
    later = ends.sealed()
    heard(again, later)
    # Neither that table hears them twice, nor the one before, should it be there still.
    for table in (again, first):
        with pytest.raises(ReplayError):
            heard(table, later)


def test_packets_of_several_seconds_may_overtake_each_other() -> None:
    ends = Ends()
    table, packets = ends.table(), []
    for _ in range(4):
        packets += [ends.sealed(), ends.sealed()]
        ends.wall += 1
    for packet in packets[::2] + packets[::-2]:
        heard(table, packet)
    assert len(ends.known) == 4


def test_claims_are_dropped_when_nothing_could_need_them() -> None:
    ends = Ends()
    table = ends.table()
    for _ in range(3 * REMEMBERED):
        session = heard(table, ends.sealed())
        ends.wall += 1
    assert len(session.incoming.claimed) <= REMEMBERED + 1
    assert len(ends.known) == 3 * REMEMBERED


def test_a_clock_that_is_set_back_revives_nothing_for_the_next_table() -> None:
    ends = Ends()
    recorded = ends.sealed()
    heard(ends.table(), recorded)
    ends.wall += 3600
    heard(ends.table(), ends.sealed())
    ends.wall = TIME
    with pytest.raises(ReplayError):
        heard(ends.table(), recorded)


def test_a_packet_that_is_not_good_claims_nothing() -> None:
    ends = Ends()
    late = PacketClient(KeyChain(PSK), lambda: TIME - 31)
    answer = ends.table().open(KEYS, memoryview(ends.sealed()), OUT, 0.0)[0]
    answered = bytes(OUT[: answer.seal(b"pong", OUT)])
    ends.known.clear()
    for packet in (late.seal(TARGET, b"ping"), answered, entropy(80)):
        with pytest.raises(RemoteProtocolError):
            heard(ends.table(), packet)
    assert not ends.known
