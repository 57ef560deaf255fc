"""The way between clients and server."""

import random
from typing import Any

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.simulator.agenda import Agenda
from annotated_shadowsocks.simulator.attempt import Attempt
from annotated_shadowsocks.simulator.way import Way
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.profiles import DEFAULT


def carried(loss: float, segments: int) -> list[int]:
    agenda = Agenda()
    way = Way(agenda, loss, random.Random(5))
    attempt = Attempt(0, Listener(1, Endpoint("192.0.2.1", 80), DEFAULT, False), 30, 0)
    arrived: list[int] = []

    def arrive(_: Any, now: int) -> None:
        arrived.append(now)

    for _ in range(segments):
        way.carry(attempt, "SYN", arrive, 0)
    agenda.run()
    return arrived


def test_without_loss_everything_arrives_after_the_delay() -> None:
    assert carried(0.0, 3) == [30, 30, 30]


def test_loss_has_its_chance() -> None:
    assert len(carried(0.25, 10_000)) == pytest.approx(7500, rel=0.03)
