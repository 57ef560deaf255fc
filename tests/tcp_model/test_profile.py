"""What profiles are made of."""

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.profile import Below, Citation, Clamp, Schedule
from annotated_shadowsocks.tcp_model.profiles import DEFAULT, PROFILES, find

_HERE = Citation("a test")


@pytest.mark.parametrize(
    ("clamp", "limits"),
    [
        (Clamp(_HERE), {-5: 0, 0: 0, 7: 7, 999: 128}),
        (Clamp(_HERE, below=Below.GREATEST), {-5: 128, 0: 0, 999: 128}),
        (Clamp(_HERE, least=1, below=Below.GREATEST), {0: 128, 1: 1}),
        (Clamp(_HERE, least=1, greatest=255), {-1: 1, 0: 1, 999: 255}),
        (Clamp(_HERE, raised_to=80), {-1: 80, 5: 80, 99: 99, 999: 128}),
    ],
)
def test_limits(clamp: Clamp, limits: dict[int, int]) -> None:
    assert {backlog: clamp.limit(backlog, 128) for backlog in limits} == limits


def test_the_last_interval_repeats() -> None:
    schedule = Schedule((SECOND, 2 * SECOND), _HERE)
    assert [schedule.interval(n, 9 * SECOND) // SECOND for n in range(4)] == [1, 2, 2, 2]


def test_a_cap_shortens_intervals() -> None:
    schedule = Schedule((SECOND, 2 * SECOND), _HERE, capped=True)
    assert schedule.interval(1, SECOND) == SECOND


def test_settings_that_a_system_does_not_have() -> None:
    assert DEFAULT.sysctl({"tcp_syncookies": 0}).tcp_syncookies == 0
    with pytest.raises(ConfigError, match=r"linux-4\.4 has none; it has somaxconn, tcp_abort"):
        find("linux-4.4").sysctl({"tcp_migrate_req": 1})
    with pytest.raises(ConfigError, match="no such setting"):
        DEFAULT.sysctl({"tcp_sack": 1})


def test_an_unknown_profile_is_told_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"profile netbds: .* did you mean netbsd\?"):
        find("netbds")
    with pytest.raises(ConfigError, match=r"there are linux-6\.19, linux-6\.18"):
        find("plan9")


@pytest.mark.parametrize("name", PROFILES)
def test_every_fact_has_a_source(name: str) -> None:
    profile = find(name)
    assert profile.name == name
    citations = profile.citations()
    assert {"clamp", "schedule"} < set(citations)
    assert all(citation.where for citation in citations.values())
    assert set(profile.knobs) >= {"somaxconn"}


def test_each_system_counts_under_its_own_names() -> None:
    assert {"ListenOverflows", "sk_drops"} <= DEFAULT.counted()
    assert find("freebsd-12").counted() >= {"tcps_listendrop", "tcps_sc_aborted"}
    assert "ListenOverflows" not in find("freebsd-12").counted()
    assert find("bsd44").counted() == frozenset()
