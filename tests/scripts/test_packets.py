"""Packet lines, and what cannot be one."""

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.scripts.cursor import Cursor
from annotated_shadowsocks.scripts.packets import FLAGS, parse_packet
from annotated_shadowsocks.scripts.statements import Foreign, IcmpLine, Names, PacketLine


def parse(text: str) -> PacketLine | IcmpLine | Foreign:
    return parse_packet(Cursor(text, "x"), Names("C"))


@pytest.mark.parametrize("flags", ["S", "S.", ".", "P.", "FP.", "SEW", "R", "-", "S.5"])
def test_flags(flags: str) -> None:
    line = parse(f"< {flags} 0:0(0)")
    assert isinstance(line, PacketLine)
    assert line.flags == flags


def test_sequence_numbers_wrap_around() -> None:
    # [RFC9293 §3.4] arithmetic modulo 2^32
    line = parse("> . 4294967290:4(10)")
    assert isinstance(line, PacketLine)
    assert (line.seq, line.end_seq, line.size) == (4294967290, 4, 10)
    with pytest.raises(ConfigError, match=r"4294967296 is too large for a sequence number"):
        parse("> . 4294967296:0(0)")


def test_no_options_are_not_any_options() -> None:
    none, any_, empty = parse("> . 1:1(0)"), parse("> . 1:1(0) <...>"), parse("> . 1:1(0) <>")
    assert isinstance(none, PacketLine)
    assert isinstance(any_, PacketLine)
    assert (none.options, any_.options) == ((), None)
    assert empty == none


def test_a_peer_speaks_tcp() -> None:
    assert parse_packet(Cursor("< udp (5)", "x"), None) == Foreign("< udp (5)")
    with pytest.raises(ConfigError, match="expected the flags"):
        parse("< udp (5)")


def test_the_pattern_of_flags_needs_something_behind_it() -> None:
    with pytest.raises(ConfigError, match="expected the flags"):
        parse("< S")
    assert FLAGS


def test_icmp_without_a_quotation() -> None:
    assert parse("< icmp unreachable net_unreachable") == IcmpLine(
        True, "unreachable", "net_unreachable", names=Names("C")
    )
    with pytest.raises(ConfigError, match="only errors about TCP segments are read"):
        parse("< icmp echo_reply id 5")
