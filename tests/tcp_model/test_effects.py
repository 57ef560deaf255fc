"""Effects are values with reasons."""

from dataclasses import FrozenInstanceError, fields
from typing import get_args

import pytest

from annotated_shadowsocks.tcp_model.effects import Count, Effect, WriteLog


@pytest.mark.parametrize("kind", get_args(Effect))
def test_every_effect_has_a_reason(kind: type) -> None:
    assert "reason" in {field.name for field in fields(kind)} | set(vars(kind))


def test_effects_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Count("ListenDrops").amount = 2  # type: ignore[misc]


def test_a_counter_says_when_it_goes_up() -> None:
    assert Count("ListenOverflows").reason.startswith("a SYN, a final ACK or a cookie's ACK met")
    assert Count("tcps_listendrop").reason == "tcps_listendrop"


def test_effects_of_different_kinds_differ() -> None:
    effects: list[Effect] = [Count("a", 1), WriteLog("a", "b")]
    assert len(set(effects)) == 2
