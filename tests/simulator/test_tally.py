"""What a run is reduced to."""

import hypothesis.strategies as st
from hypothesis import given

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.simulator.attempt import Attempt, Outcome
from annotated_shadowsocks.simulator.tally import DepthHistory, Endings, Histogram
from annotated_shadowsocks.tcp_model.instant import MILLISECOND
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.profiles import DEFAULT


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=3000))
def test_quantiles_are_those_of_the_sorted_list(values: list[int]) -> None:
    histogram = Histogram()
    histogram.update(values[::2])
    histogram.update(values[1::2])
    found = histogram.quantiles()
    assert found is not None
    ordered = sorted(values)
    assert found.number == len(values)
    assert found.mean == sum(values) // len(values)
    assert found.most == ordered[-1]
    for got, part in ((found.p50, 500), (found.p90, 900), (found.p99, 990), (found.p999, 999)):
        true = ordered[-(-len(values) * part // 1000) - 1]
        assert true * 127 // 128 <= got <= true


def test_nothing_has_no_quantiles() -> None:
    assert Histogram().quantiles() is None
    assert Histogram().share_from(1) == 0.0


def test_endings_are_all_counted_and_forgotten() -> None:
    endings = Endings()
    listener = Listener(1, Endpoint("192.0.2.1", 80), DEFAULT, reuse_port=False)
    for number in range(2000):
        attempt = Attempt(number, listener, 5, 10)
        attempt.outcome, attempt.knocks = Outcome.TIMED_OUT, 7
        if number % 2:
            attempt.outcome, attempt.knocks = Outcome.ACCEPTED, 1
            attempt.connected_at, attempt.queued_at, attempt.accepted_at = 20, 25, 31
        endings.add(attempt)
    endings.settle()
    endings.settle()
    assert endings.outcomes[Outcome.TIMED_OUT] == endings.outcomes[Outcome.ACCEPTED] == 1000
    assert endings.outcomes.total() == 2000
    assert endings.knocks == {7: 1000, 1: 1000}
    times = endings.connect_times, endings.served_times, endings.waiting_times
    found = [one.quantiles() for one in times]
    assert [(one.number, one.most) for one in found if one] == [(1000, 10), (1000, 21), (1000, 6)]


def test_the_share_of_the_slow() -> None:
    histogram = Histogram()
    histogram.update((1, 2, 3, 4))
    assert histogram.share_from(3) == 0.5


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=3000))
def test_peaks_survive_the_folding(peaks: list[tuple[int, int]]) -> None:
    history = DepthHistory()
    kept = []
    for number, (accept_queue, syn_queue) in enumerate(peaks):
        kept.append((number, accept_queue, syn_queue))
        history.add(accept_queue, syn_queue)
        if history.interval > MILLISECOND:
            break  # from here on an interval is another one
    found = list(history)
    assert len(found) <= 512
    assert max([d.accept_queue for d in found] or [0]) == max([a for _, a, _ in kept] or [0])
    assert max([d.syn_queue for d in found] or [0]) == max([s for _, _, s in kept] or [0])


def test_its_memory_is_bounded() -> None:
    history = DepthHistory()
    for number in range(100_000):
        history.add(number, 0)
    found = list(history)
    assert len(found) < 512
    assert found[-1].accept_queue == 99_999
    assert [d.at for d in found] == sorted({d.at for d in found})
