"""The layout, and that every body has one."""

import pytest

from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.scripts.printer import (
    print_body,
    print_script,
    print_statement,
    print_time,
)
from annotated_shadowsocks.scripts.statements import ANY_TIME, AT_ONCE, Time


def test_the_layout() -> None:
    text = (
        "--ip_version=ipv6\n"
        "\n"
        "// Why\n"
        "`sysctl -q net.ipv4.tcp_syncookies=0`\n"
        "0       listen(3, 1) = 0  // again\n"
        "        accept_queue 0/1\n"
        "\n"
        "// Then\n"
        "+0.5~+1.25 C > S. 0:0(0) ack 1 <mss 1460,TS val 1 ecr 2,sack 1:2 3:4>\n"
    )
    assert print_script(parse(text)) == text


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (AT_ONCE, ""),
        (ANY_TIME, "*"),
        (Time(0), "+0"),
        (Time(1_500_000_000, relative=False), "1.5"),
        (Time(1, 2_000_000_000), "+0.000000001~+2"),
        (Time(0, 1_000_000_000, relative=False), "0~1"),
    ],
)
def test_times(time: Time, text: str) -> None:
    assert print_time(time) == text


@pytest.mark.parametrize(
    "line",
    [
        "P1..P40 < S 0:0(0) win 65535 <FO 00112233>",
        "> . 1:1(0) ack 1 <...>",
        "< [ect0] 80 > 8080 P. 1:6(5) ack 1 win 9 urg 3",
        "C < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]",
        "> udp (5)",
        "...0.2 accept(3, ..., ...) = -1 EAGAIN (try again)",
        "x()",
        'x([], {a=1, b(2)="c"...}, A|0x10, -1)',
        "%{ assert x }%",
        "clients sysctl tcp_syn_retries = 2",
        "client A connect syn_retries 2",
        "client A send 5",
        "A refused",
        "C silent",
        "C ignored",
        "syn_queue(4) 3",
        "clients TcpExt TCPSynRetrans +2",
        "Tcp OutRsts 0",
        "sk_drops(3) +2",
        "proc_net_tcp rx_queue 1 half_open 2",
        "wire delay 0.02 A <",
        "wire release",
        "//",
    ],
)
def test_bodies_are_printed_as_they_are_written(line: str) -> None:
    (statement,) = parse(line).statements
    assert print_body(statement.body) == line
    assert print_statement(statement).strip() == line


def test_a_profile() -> None:
    assert print_script(parse("profile bsd44")) == "        profile bsd44\n"
