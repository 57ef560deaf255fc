from annotated_shadowsocks.resolver.cache import Cache
from annotated_shadowsocks.resolver.resolution import Outcome


def outcome(last: int, ttl: float = 10) -> Outcome:
    return Outcome((f"192.0.2.{last}",), ttl)


def test_an_outcome_lives_for_its_ttl() -> None:
    cache = Cache(8)
    cache.put("a", outcome(1), now=100)
    assert cache.get("a", now=109.9) == outcome(1)
    assert cache.get("a", now=110) is None
    assert len(cache) == 0


def test_a_later_outcome_replaces_an_earlier_one() -> None:
    cache = Cache(8)
    cache.put("a", outcome(1), now=100)
    cache.put("a", outcome(2), now=105)
    assert cache.get("a", now=114) == outcome(2)
    assert len(cache) == 1


def test_the_least_lately_used_goes_first() -> None:
    cache = Cache(2)
    cache.put("a", outcome(1), now=0)
    cache.put("b", outcome(2), now=0)
    assert cache.get("a", now=1) == outcome(1)
    cache.put("c", outcome(3), now=1)
    assert cache.get("b", now=1) is None
    assert cache.get("a", now=1) == outcome(1)
    assert cache.get("c", now=1) == outcome(3)


def test_a_stream_of_names_stays_bounded() -> None:
    cache = Cache(16)
    for n in range(1000):
        cache.put(f"name{n}", outcome(1), now=n)
    assert len(cache) == 16


def test_clear() -> None:
    cache = Cache(2)
    cache.put("a", outcome(1), now=0)
    cache.clear()
    assert cache.get("a", now=0) is None
