"""Counters by name."""

import annotated_shadowsocks.tcp_model.counters as c
from annotated_shadowsocks.tcp_model.counters import MEANINGS, Counters


def test_every_name_has_a_meaning() -> None:
    names = {getattr(c, name) for name in c.__all__ if name.isupper() and name != "MEANINGS"}
    assert names == set(MEANINGS)


def test_counting() -> None:
    counters = Counters()
    assert counters["ListenDrops"] == 0
    counters.add("ListenDrops")
    before = counters.snapshot()
    counters.add("ListenDrops", 2)
    counters.add("ActiveOpens")
    assert counters.since(before) == {"ListenDrops": 2, "ActiveOpens": 1}
    assert list(counters) == ["ActiveOpens", "ListenDrops"]
    assert before == {"ListenDrops": 1}
