"""Which gates are shut."""

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.admission import shut_gates
from annotated_shadowsocks.tcp_model.connection import Connection
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.profile import Exempt
from annotated_shadowsocks.tcp_model.profiles import find
from annotated_shadowsocks.tcp_model.segment import Flow
from annotated_shadowsocks.tcp_model.states import State
from annotated_shadowsocks.tcp_model.sysctl import Sysctl

SERVER = Endpoint("192.0.2.1", 80)


def shut(
    profile: str,
    queued: int,
    half_open: int,
    *exempt: Exempt,
    young: int | None = None,
    sysctl: Sysctl | None = None,
) -> list[str]:
    """The formulas of the gates that are shut at a limit of 3."""
    sysctl = sysctl or Sysctl(tcp_syncookies=0)
    listener = Listener(1, SERVER, find(profile), reuse_port=False)
    listener.accept_queue.limit = listener.first_limit = 3
    listener.resize(sysctl)
    flow = Flow(SERVER, SERVER)
    for _ in range(queued):
        one = Connection(flow, State.ESTABLISHED, 0, 0)
        listener.accept_queue.connections.append(one)
    listener.syn_queue.depth = half_open
    listener.syn_queue.young = half_open if young is None else young
    gates = shut_gates(listener, sysctl, half_open, frozenset(exempt))
    return [gate.ceiling.formula for gate in gates]


@pytest.mark.parametrize(
    ("profile", "queued", "half_open", "formulas"),
    [
        ("linux-6.18", 3, 3, []),
        ("linux-6.18", 3, 4, ["n0 > L"]),
        ("linux-6.18", 4, 0, ["n > L"]),
        ("linux-6.18", 4, 4, ["n0 > L", "n > L"]),
        ("linux-4.10", 0, 3, ["n0 >= L"]),
        ("bsd44", 2, 2, []),
        ("bsd44", 2, 3, ["n + n0 > 3L/2"]),
        ("xnu", 1, 2, ["n + n0 >= L"]),
        ("freebsd-12", 99, 99, []),
    ],
)
def test_gates(profile: str, queued: int, half_open: int, formulas: list[str]) -> None:
    assert shut(profile, queued, half_open) == formulas


def test_a_lone_syn_passes_an_old_linux() -> None:
    assert shut("linux-4.4", 9, 2, young=1) == []
    assert shut("linux-4.4", 9, 2, young=2) == ["n > L"]


def test_the_last_quarter_is_kept_without_syncookies_alone() -> None:
    off = Sysctl(tcp_syncookies=0, tcp_max_syn_backlog=2)
    on = Sysctl(tcp_syncookies=1, tcp_max_syn_backlog=2)
    assert shut("linux-6.18", 0, 3, sysctl=off) == ["n0 > M - M/4"]
    assert shut("linux-6.18", 0, 3, sysctl=on) == []
    assert shut("linux-6.18", 0, 3, Exempt.PROVEN, sysctl=off) == []


def test_time_wait_passes_what_counts_half_open_requests() -> None:
    assert shut("linux-6.18", 0, 9, Exempt.REUSED) == []
    assert shut("linux-6.18", 9, 9, Exempt.REUSED) == ["n > L"]


def test_mode_2_shuts_the_first_gate_for_everybody() -> None:
    assert shut("linux-6.18", 0, 0, sysctl=Sysctl(tcp_syncookies=2)) == ["n0 > L"]
