"""Random scripts: the same seed, scripts that run, deeds that fall on no timer; and shrinking."""

from collections.abc import Sequence

import pytest

from annotated_shadowsocks.lab.conductor import conduct
from annotated_shadowsocks.lab.fleet import Fleet
from annotated_shadowsocks.lab.fuzz import generate, shrink
from annotated_shadowsocks.lab.model_stage import ModelStage
from annotated_shadowsocks.pictures.trace import CounterMoved, Noted, PacketSent
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.tcp_model.instant import MILLISECOND

SEEDS = range(12)


def test_the_same_seed_is_the_same_script() -> None:
    assert generate(7) == generate(7)
    assert len({generate(seed) for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_model_can_run_them_and_no_deed_is_near_a_timer(seed: int) -> None:
    script = parse(generate(seed))
    stage = ModelStage(ipv6=script.ipv6)
    verdict = conduct(script, stage)
    assert verdict.agreed, verdict
    deeds = {one.at for one in verdict.trace.events if isinstance(one, Noted) and not one.host}
    seen = (one for one in verdict.trace.events if isinstance(one, PacketSent | CounterMoved))
    timers = {one.at for one in seen} - deeds
    near = [(a, b) for a in deeds for b in timers if b - a in range(300 * MILLISECOND)]
    assert not near


def test_scripts_are_of_every_kind() -> None:
    text = "".join(generate(seed) for seed in range(40))
    words = ("--ip_version=ipv6", "connect", "accept(", "shutdown(", "wire hold", "icmp", "< R ")
    assert [word for word in words if word not in text] == []


def test_shrinking_leaves_what_is_needed() -> None:
    tried: list[str] = []

    def differs(texts: Sequence[str]) -> list[bool]:
        tried.extend(texts)
        return ["b\n" in text and "d\n" in text for text in texts]

    assert shrink("a\nb\nc\nd\ne\n", differs) == "b\nd\n"
    assert len(tried) < 12


def test_shrinking_where_either_line_will_do() -> None:
    def differs(texts: Sequence[str]) -> list[bool]:
        return ["a" in text or "b" in text for text in texts]

    assert shrink("a\nb\n", differs) in ("a\n", "b\n")


@pytest.mark.root
@pytest.mark.timeout(300)
def test_model_and_kernel_agree_on_some() -> None:
    with Fleet() as fleet:
        outcomes = list(fleet.run((f"seed-{seed}", generate(seed)) for seed in range(1000, 1012)))
        again = [fleet.begin(one.name, one.text).result() for one in outcomes if not one.agreed]
    assert [one for one in again if not one.agreed] == []
