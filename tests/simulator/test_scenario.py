"""What cannot be simulated is refused in a line."""

from typing import Any

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.simulator.arrivals import Even
from annotated_shadowsocks.simulator.scenario import Scenario, Stall

ONE = (Even(1, 1),)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"profile": "linux-9"}, "there is no such profile"),
        ({"settings": (("tcp_syncookies", 999),)}, "999 is impossible"),
        ({"client_settings": (("nonsense", 1),)}, "there is no such setting"),
        ({"profile": "bsd44", "settings": (("tcp_syncookies", 0),)}, "bsd44 has none"),
        ({"loss": 1.0}, "is no chance"),
        ({"workers": -1}, "is impossible"),
        ({"profile": "bsd44", "reuse_port": True}, "bsd44 has none"),
        ({"defer_accept": -1}, "-1 is impossible"),
        ({"profile": "bsd44", "defer_accept": 5}, "bsd44 has none"),
        ({"stalls": (Stall(0, 1, 3),)}, "there is no worker 3"),
    ],
)
def test_refusals(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        Scenario(arrivals=ONE, **settings)


def test_equal_scenarios_are_equal() -> None:
    assert Scenario(arrivals=ONE) == Scenario(arrivals=ONE)
    assert hash(Scenario(arrivals=ONE)) == hash(Scenario(arrivals=ONE))
