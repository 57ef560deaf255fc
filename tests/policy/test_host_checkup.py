"""The check-up of a host: each check by itself, and the exit code of all together."""

import pytest

from annotated_shadowsocks.policy.host_checkup import Check, Host, Status, examine, worst
from annotated_shadowsocks.policy.listen_queue import ListenQueue, Sysctls
from annotated_shadowsocks.policy.queue_advice import Seen

# What Linux 6.18 starts with on a machine of a few GB, and nothing lost.
DEFAULTS = Sysctls(
    somaxconn=4096,
    tcp_max_syn_backlog=2048,
    tcp_syncookies=1,
    tcp_abort_on_overflow=0,
    tcp_synack_retries=5,
    tcp_migrate_req=0,
)
COUNTERS = {"ListenOverflows": 0, "TCPReqQFullDrop": 0, "TCPReqQFullDoCookies": 0}
GOOD = Host(DEFAULTS, COUNTERS, [Seen("*:443", ListenQueue(0, 4096))], (1 << 20, 1 << 20), True)


def check(host: Host, name: str) -> Check:
    (found,) = [each for each in examine(host) if each.name == name]
    return found


def with_sysctl(name: str, value: int | None) -> Host:
    return GOOD._replace(sysctls=DEFAULTS._replace(**{name: value}))


def test_a_good_host() -> None:
    checks = examine(GOOD)
    assert {each.status for each in checks} == {Status.OK}
    assert not any(each.fix for each in checks)
    assert len({each.name for each in checks}) == len(checks)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("somaxconn", 4095, Status.WARNING),
        ("somaxconn", 128, Status.WARNING),
        ("somaxconn", 127, Status.CRITICAL),
        ("tcp_syncookies", 0, Status.WARNING),
        ("tcp_syncookies", 2, Status.WARNING),
        ("tcp_abort_on_overflow", 1, Status.WARNING),
        ("tcp_synack_retries", 1, Status.WARNING),
        ("tcp_synack_retries", 2, Status.OK),
        ("tcp_synack_retries", 6, Status.OK),
        ("tcp_synack_retries", 7, Status.WARNING),
        ("tcp_migrate_req", 1, Status.OK),
    ],
)
def test_settings(name: str, value: int, status: Status) -> None:
    found = check(with_sysctl(name, value), name)
    assert (found.status, found.value) == (status, str(value))
    assert bool(found.fix) == (status is not Status.OK)
    if found.fix:
        assert found.fix[0].startswith("sysctl -w net.")
        assert f".{name}=" in found.fix[0]


# Of clients, or of Fast Open: these decide nothing about a burst.
NOT_CHECKED = {"tcp_fastopen", "tcp_syn_retries", "tcp_syn_linear_timeouts"}


@pytest.mark.parametrize("name", sorted(set(Sysctls._fields) - NOT_CHECKED))
def test_a_setting_that_is_not_shown(name: str) -> None:
    found = check(with_sysctl(name, None), name)
    assert (found.status, found.value, found.fix) == (Status.UNKNOWN, "?", ())


def test_tcp_max_syn_backlog_counts_only_without_cookies() -> None:
    small = DEFAULTS._replace(tcp_max_syn_backlog=128)
    with_cookies = check(GOOD._replace(sysctls=small), "tcp_max_syn_backlog")
    assert with_cookies.status is Status.OK
    assert "not consulted" in with_cookies.verdict
    without = check(GOOD._replace(sysctls=small._replace(tcp_syncookies=0)), "tcp_max_syn_backlog")
    assert without.status is Status.WARNING
    # Measured: 97 of a flood were held with a limit of 300.
    assert "97 half-open requests" in without.verdict
    large = DEFAULTS._replace(tcp_syncookies=0)
    assert check(GOOD._replace(sysctls=large), "tcp_max_syn_backlog").status is Status.OK


def listening(*queues: tuple[int, int]) -> Host:
    seen = [Seen(f"*:{number}", ListenQueue(*queue)) for number, queue in enumerate(queues)]
    return GOOD._replace(listeners=seen)


@pytest.mark.parametrize(
    ("queues", "status", "value"),
    [
        ([(0, 8), (6, 8)], Status.OK, "2, none full"),
        ([(0, 8), (7, 8)], Status.WARNING, "1 of 2 nearly full"),
        ([(9, 8), (7, 8)], Status.CRITICAL, "1 of 2 full"),
        ([], Status.OK, "0, none full"),
    ],
)
def test_queues(queues: list[tuple[int, int]], status: Status, value: str) -> None:
    found = check(listening(*queues), "accept queues")
    assert (found.status, found.value) == (status, value)


def test_full_queues_are_named_and_counted() -> None:
    found = check(listening(*[(9, 8)] * 5), "accept queues")
    assert found.verdict == "new clients are turned away at *:0, *:1, *:2 and 2 more"
    assert found.fix == ("backlog explain *:0", "backlog explain *:1", "backlog explain *:2")


def test_a_shared_port_and_no_migration() -> None:
    twins = [Seen("*:443", ListenQueue(0, 4096))] * 2
    found = check(GOOD._replace(listeners=twins), "tcp_migrate_req")
    assert found.status is Status.WARNING
    assert "*:443" in found.verdict
    assert found.fix[0] == "sysctl -w net.ipv4.tcp_migrate_req=1"


@pytest.mark.parametrize(
    ("counter", "name"),
    [
        ("ListenOverflows", "accept queue overflows"),
        ("TCPReqQFullDrop", "SYN queue overflows"),
        ("TCPReqQFullDoCookies", "SYN cookies"),
    ],
)
def test_losses(counter: str, name: str) -> None:
    found = check(GOOD._replace(counters=COUNTERS | {counter: 7}), name)
    assert (found.status, found.value) == (Status.WARNING, "7")
    assert found.fix == (f"nstat -az TcpExt{counter}",)
    counters = {key: value for key, value in COUNTERS.items() if key != counter}
    assert check(GOOD._replace(counters=counters), name).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("limits", "status", "value"),
    [
        ((1024, 4096), Status.WARNING, "1024 (at most 4096)"),
        ((4096, 4096), Status.OK, "4096 (at most 4096)"),
        ((1024, -1), Status.WARNING, "1024 (at most any)"),
        ((-1, -1), Status.OK, "unlimited"),
    ],
)
def test_descriptors(limits: tuple[int, int], status: Status, value: str) -> None:
    found = check(GOOD._replace(nofile=limits), "nofile")
    assert (found.status, found.value) == (status, value)


def test_an_unlimited_host_is_told_a_number() -> None:
    found = check(GOOD._replace(nofile=(1024, -1)), "nofile")
    assert found.fix == ("ulimit -n 65536", "LimitNOFILE=65536 in a systemd unit")


@pytest.mark.parametrize(
    ("synchronised", "status"),
    [(True, Status.OK), (False, Status.WARNING), (None, Status.UNKNOWN)],
)
def test_the_clock(synchronised: bool | None, status: Status) -> None:
    assert check(GOOD._replace(synchronised=synchronised), "clock").status is status


def test_nothing_can_be_read() -> None:
    checks = examine(Host(Sysctls(), None, None, (4096, 4096), None))
    assert {each.status for each in checks} == {Status.UNKNOWN, Status.OK}
    assert worst(checks) is Status.UNKNOWN


@pytest.mark.parametrize(
    ("statuses", "code"), [([], 0), ([0], 0), ([0, 3], 3), ([3, 1], 1), ([1, 2, 3], 2)]
)
def test_the_worst_decides(statuses: list[int], code: int) -> None:
    assert worst([Check("x", Status(each), "", "") for each in statuses]) == code
