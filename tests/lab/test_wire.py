"""Rules of the wire."""

from annotated_shadowsocks.lab.wire import RuledWire
from annotated_shadowsocks.scripts.statements import Names, WireRule, WireVerb


def changed(wire: RuledWire[str], rule: WireRule) -> list[str]:
    delivered: list[str] = []
    wire.change(rule, delivered.append)
    return delivered


def test_without_rules_everything_passes_at_once() -> None:
    assert RuledWire[str]().offer("A", True, "x") == 0


def test_the_latest_rule_that_fits_applies() -> None:
    wire = RuledWire[str]()
    changed(wire, WireRule(WireVerb.DELAY, 5))
    changed(wire, WireRule(WireVerb.DROP, names=Names("A"), inbound=True))
    assert wire.offer("A", True, "x") is None
    assert wire.offer("A", False, "x") == 5
    assert wire.offer("B", True, "x") == 5
    changed(wire, WireRule(WireVerb.PASS, names=Names("A")))
    assert wire.offer("A", True, "x") == 0


def test_what_is_held_is_released_in_order_or_in_reverse() -> None:
    wire = RuledWire[str]()
    changed(wire, WireRule(WireVerb.HOLD))
    for name, packet in (("A", "a1"), ("B", "b1"), ("A", "a2"), ("A", "a3")):
        assert wire.offer(name, True, packet) is None
    assert wire.offer("A", False, "answer") is None
    assert changed(wire, WireRule(WireVerb.REORDER, names=Names("A"), inbound=True)) == [
        "a3",
        "a2",
        "a1",
    ]
    assert wire.offer("A", True, "a4") == 0
    assert wire.offer("A", False, "held") is None
    assert changed(wire, WireRule(WireVerb.RELEASE)) == ["b1", "answer", "held"]
    assert changed(wire, WireRule(WireVerb.RELEASE)) == []


def test_what_was_lost_is_not_released() -> None:
    wire = RuledWire[str]()
    changed(wire, WireRule(WireVerb.DROP))
    assert wire.offer("A", True, "x") is None
    assert changed(wire, WireRule(WireVerb.RELEASE)) == []
