"""Linux by versions: what changed, and nothing else."""

import pytest

from annotated_shadowsocks.tcp_model.profiles.linux import (
    LINUX,
    LINUX_4_3,
    LINUX_4_4,
    LINUX_4_10,
    LINUX_6_13,
    LINUX_6_18,
)
from annotated_shadowsocks.tcp_model.survey import survey


def test_the_accept_queue_has_always_held_one_more() -> None:
    for profile in LINUX:
        assert [one.connections for one in survey(profile, range(15))] == list(range(1, 16))


@pytest.mark.parametrize(
    ("profile", "held"),
    [
        (LINUX_6_18, [1, 2, 3, 6, 17]),
        (LINUX_6_13, [1, 2, 3, 6, 17]),
        (LINUX_4_10, [0, 1, 2, 5, 16]),
        (LINUX_4_4, [0, 1, 2, 5, 16]),
        (LINUX_4_3, [16, 16, 16, 16, 32]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_half_open_requests(profile: object, held: list[int]) -> None:
    found = survey(profile, [0, 1, 2, 5, 16])  # type: ignore[arg-type]
    assert [one.half_open for one in found] == held


def test_settings_come_with_versions() -> None:
    assert "tcp_rto_max_ms" in LINUX_6_18.knobs - LINUX_6_13.knobs
    assert "tcp_migrate_req" in LINUX_4_10.knobs - LINUX_4_4.knobs
    assert LINUX_4_4.defaults.somaxconn == 128
