"""Settings, and which of them are impossible."""

from dataclasses import fields

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.tcp_model.sysctl import KNOBS, Sysctl


def test_every_setting_has_a_knob() -> None:
    assert [field.name for field in fields(Sysctl)] == list(KNOBS)


@pytest.mark.parametrize(
    ("name", "value"),
    # [linux ipv4_net_table] what proc_dou8vec_minmax and its kin refuse
    [
        ("somaxconn", -1),
        ("tcp_syncookies", 256),
        ("tcp_synack_retries", -1),
        ("tcp_syn_retries", 0),
        ("tcp_syn_retries", 128),
        ("tcp_syn_linear_timeouts", 128),
        ("tcp_migrate_req", 2),
        ("tcp_rto_max_ms", 999),
        ("tcp_rto_max_ms", 120_001),
        ("tcp_max_syn_backlog", 2**31),
    ],
)
def test_impossible_values(name: str, value: int) -> None:
    with pytest.raises(ConfigError) as caught:
        Sysctl().with_value(name, value)
    assert str(caught.value).startswith(f"sysctl {name}: {value} is impossible; write ")


@pytest.mark.parametrize("value", ["1", 1.0, True, None])
def test_only_whole_numbers(value: object) -> None:
    with pytest.raises(ConfigError, match="is not a whole number; write digits"):
        Sysctl(tcp_syncookies=value)  # type: ignore[arg-type]


def test_an_unknown_setting_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="sysctl tcp_sack: there is no such setting; there are"):
        Sysctl().with_value("tcp_sack", 1)


def test_negative_max_syn_backlog_is_possible() -> None:
    assert Sysctl().with_value("tcp_max_syn_backlog", -5).tcp_max_syn_backlog == -5
