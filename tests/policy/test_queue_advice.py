"""Advice: the setting that is to blame is the one that is named, and no other."""

import pytest

from annotated_shadowsocks.policy.listen_queue import ListenQueue, Sysctls
from annotated_shadowsocks.policy.queue_advice import Seen, advise, sysctl_commands

GOOD = Sysctls(somaxconn=4096, tcp_syncookies=1, tcp_abort_on_overflow=0)


def seen(depth: int, limit: int, drops: int = 0, program: str | None = "nginx") -> Seen:
    return Seen("*:443", ListenQueue(depth, limit, 0), drops, program, 812 if program else None)


def commands(about: Seen, sysctls: Sysctls = GOOD) -> list[str]:
    return [command for advice in advise(about, sysctls) for command in advice.commands]


def test_a_healthy_listener_needs_nothing() -> None:
    assert advise(seen(0, 511), GOOD) == []
    assert advise(seen(0, 4096), GOOD) == []


def test_the_program_asked_for_too_little() -> None:
    assert commands(seen(0, 511, drops=3)) == ["listen … backlog=4096;"]
    (advice,) = advise(seen(0, 511, drops=3), GOOD)
    assert "asked listen() for 511" in advice.reason


def test_somaxconn_cut_what_the_program_asked_for() -> None:
    raised = sysctl_commands("net.core.somaxconn", 4096)
    about = seen(0, 128, drops=3)
    (advice,) = advise(about, GOOD._replace(somaxconn=128))
    assert advice.commands == (*raised, "listen … backlog=4096;")
    assert "somaxconn cut the limit at 128" in advice.reason


def test_both_are_too_small() -> None:
    (advice,) = advise(seen(0, 5, drops=1), GOOD._replace(somaxconn=128))
    assert "asked listen() for 5" in advice.reason
    assert advice.commands[0] == "sysctl -w net.core.somaxconn=4096"


def test_a_large_queue_is_doubled() -> None:
    assert commands(seen(0, 4096, drops=1))[0] == "sysctl -w net.core.somaxconn=8192"
    larger = GOOD._replace(somaxconn=65536)
    assert commands(seen(0, 5000, drops=1), larger) == ["listen … backlog=16384;"]


@pytest.mark.parametrize(("depth", "quiet"), [(408, True), (409, False), (511, False)])
def test_nearly_full(depth: int, quiet: bool) -> None:
    assert (advise(seen(depth, 511), GOOD) == []) is quiet


def test_a_small_limit_is_a_loss_to_come() -> None:
    assert advise(seen(0, 127), GOOD) != []
    assert advise(seen(0, 128), GOOD) == []


def test_a_full_queue_names_the_program_first() -> None:
    first, second = advise(seen(512, 511, program="nginx"), GOOD)
    assert first.reason.startswith("nginx (812) does not accept as fast as clients come")
    assert first.commands == ("strace -f -p 812",)
    assert second.commands == ("listen … backlog=4096;",)


def test_a_program_that_nobody_can_see() -> None:
    first, second = advise(seen(512, 511, program=None), GOOD)
    assert first == ("its program does not accept as fast as clients come", ())
    assert second.commands == ("the program's setting for the backlog of listen(): 4096",)


@pytest.mark.parametrize(
    ("program", "setting"),
    [
        ("php-fpm8.2", "listen.backlog = 4096"),
        ("apache2", "ListenBacklog 4096"),
        ("redis-server", "tcp-backlog 4096"),
        ("ssserver", "ssserver --backlog 4096"),
        ("unheard-of", "the program's setting for the backlog of listen(): 4096"),
    ],
)
def test_settings_of_programs(program: str, setting: str) -> None:
    assert commands(seen(0, 5, program=program)) == [setting]


def test_somaxconn_was_lowered_since() -> None:
    (advice,) = advise(seen(0, 4096), GOOD._replace(somaxconn=128))
    assert advice.reason == "somaxconn was lowered since listen(): after a restart the limit is 128"
    assert advice.commands[0] == "sysctl -w net.core.somaxconn=4096"


@pytest.mark.parametrize(
    ("sysctls", "command"),
    [
        (GOOD._replace(tcp_abort_on_overflow=1), "sysctl -w net.ipv4.tcp_abort_on_overflow=0"),
        (GOOD._replace(tcp_syncookies=0), "sysctl -w net.ipv4.tcp_syncookies=1"),
        (GOOD._replace(tcp_syncookies=2), "sysctl -w net.ipv4.tcp_syncookies=1"),
    ],
)
def test_settings_that_make_it_worse(sysctls: Sysctls, command: str) -> None:
    assert commands(seen(0, 4096), sysctls)[0] == command


def test_what_is_unknown_is_not_blamed() -> None:
    assert advise(seen(0, 4096), Sysctls()) == []
    assert commands(seen(0, 5), Sysctls())[-1] == "listen … backlog=4096;"


def test_a_setting_for_now_and_for_good() -> None:
    now, always = sysctl_commands("net.ipv4.tcp_syncookies", 1)
    assert now == "sysctl -w net.ipv4.tcp_syncookies=1"
    assert always == "echo 'net.ipv4.tcp_syncookies = 1' > /etc/sysctl.d/60-tcp_syncookies.conf"
