import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.pictures.depth import Series, braille, series_of, sparkline
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory


def series(*steps: tuple[int, int], end: int) -> Series:
    times, depths = zip(*steps, strict=True) if steps else ((), ())
    return Series("accept queue", times, depths, end)


def test_series_of_a_trace() -> None:
    laboratory = Laboratory(1)
    laboratory.connect()
    laboratory.at(2)
    laboratory.accept()
    laboratory.at(3)
    syn, accept = series_of(laboratory.recorded())
    assert (syn.name, syn.depths, syn.limit) == ("SYN queue", (0, 1, 0), 1)
    assert (accept.name, accept.times, accept.depths) == (
        "accept queue",
        (0, 0, 2_000_000_000),
        (0, 1, 0),
    )
    assert (accept.start, accept.end, accept.most) == (0, 2_000_000_000, 1)


def test_several_listeners_are_told_apart() -> None:
    laboratory = Laboratory(1, reuse_port=True)
    other = laboratory.server.bind(laboratory.listener.local, True)
    laboratory.did(laboratory.server.listen(other, 5, 0))
    names = [one.name for one in series_of(laboratory.recorded())]
    assert names == [
        "SYN queue of listener 1",
        "SYN queue of listener 2",
        "accept queue of listener 1",
        "accept queue of listener 2",
    ]


def test_a_column_shows_the_most_of_its_time() -> None:
    curve = series((0, 0), (39, 8), (40, 1), (75, 0), end=80)
    assert curve.columns(4) == [0, 8, 1, 1]
    assert curve.columns(1) == [8]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=20),
    st.integers(1, 12),
    st.integers(0, 10),
)
def test_no_column_is_wrong(steps: list[tuple[int, int]], count: int, more: int) -> None:
    """Against the definition: the greatest of the depths at every instant of the column."""
    steps.sort(key=lambda step: step[0])
    end = steps[-1][0] + more
    curve = series(*steps, end=end)
    span = end - curve.start
    edges = [curve.start + span * number // count for number in range(count + 1)]
    for column, left, right in zip(curve.columns(count), edges, edges[1:], strict=False):
        if right > left:
            first = max([depth for at, depth in steps if at <= left][-1:])
            during = [depth for at, depth in steps if left < at < right]
            assert column == max([first, *during])


def test_a_sparkline() -> None:
    assert sparkline(series((0, 0), (10, 1), (20, 4), (30, 8), end=40), 4) == " ▁▄█"
    assert sparkline(series(end=0), 3) == "   "


def test_braille_fills_the_area_from_the_bottom() -> None:
    assert braille(series((0, 8), (10, 4), end=20), 1, 2) == ["⡇", "⣿"]
    assert braille(series((0, 0), (10, 2), end=20), 2, 1) == ["⠀⣿"]


@pytest.mark.parametrize("height", [1, 4])
def test_braille_is_as_large_as_it_was_ordered(height: int) -> None:
    lines = braille(series((0, 3), end=9), 33, height)
    assert [len(line) for line in lines] == [33] * height
