import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.shadowsocks.window import SIZE, SlidingWindow

# shadowsocks-rust crates/shadowsocks-service/src/net/packet_window.rs, which has it from WireGuard:
# one window, numbers in this order, and whether each is accepted.
W = 8128
L = W + 1
R = 2**64 - 1 - 2**13
TABLE = [
    (0, True),
    (1, True),
    (1, False),
    (9, True),
    (8, True),
    (7, True),
    (7, False),
    (L, True),
    (L - 1, True),
    (L - 1, False),
    (L - 2, True),
    (2, True),
    (2, False),
    (L + 16, True),
    (3, False),
    (L + 16, False),
    (L * 4, True),
    (L * 4 - (L - 1), True),
    (10, False),
    (L * 4 - L, False),
    (L * 4 - (L + 1), False),
    (L * 4 - (L - 2), True),
    (L * 4 + 1 - L, False),
    (0, False),
    (R, False),
    (R - 1, True),
    (R, False),
    (R - 1, False),
    (R - 2, True),
    (R + 1, False),
    (R + 2, False),
    (R - 2, False),
    (R - 3, True),
    (0, False),
]

# The same file: a window each, numbers that are all accepted, then numbers and their verdicts.
BULK = [
    (range(1, W + 1), [(0, True), (0, False)]),
    (range(2, W + 2), [(1, True), (0, False)]),
    (range(W + 1, 0, -1), []),
    (range(W + 2, 1, -1), [(0, False)]),
    (range(W, 0, -1), [(W + 1, True), (0, False)]),
    (range(W, 0, -1), [(0, True), (W + 1, True)]),
]


def test_the_table_of_the_peers() -> None:
    window = SlidingWindow(limit=R)
    verdicts = [(number, window.add(number)) for number, _ in TABLE]
    assert verdicts == TABLE


@pytest.mark.parametrize(("accepted", "then"), BULK)
def test_whole_windows_of_the_peers(accepted: range, then: list[tuple[int, bool]]) -> None:
    window = SlidingWindow()
    assert all(window.add(number) for number in accepted)
    assert [(number, window.add(number)) for number, _ in then] == then


def test_a_session_may_begin_with_the_last_number_of_all() -> None:
    window = SlidingWindow()
    assert window.add(2**64 - 1)
    assert not window.add(2**64 - 1)
    assert not window.add(0)
    assert window.add(2**64 - 1 - SIZE)
    assert not window.add(2**64 - 1 - SIZE - 1)


def test_a_leap_over_the_whole_window_keeps_its_last_number() -> None:
    window = SlidingWindow()
    assert window.add(0)
    assert window.add(SIZE)
    assert not window.add(0)
    assert window.add(2 * SIZE + 1)
    assert not window.add(SIZE)


class EveryNumber:
    """The rule itself, on a set that forgets nothing."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def add(self, number: int) -> bool:
        fresh = number not in self.seen and number >= max(self.seen, default=0) - SIZE
        if fresh:
            self.seen.add(number)
        return fresh


# Small steps back and forth, and leaps around the length of the window and of its words.
STEPS = st.one_of(
    st.integers(-70, 70),
    st.integers(SIZE - 2, SIZE + 2),
    st.integers(-SIZE - 2, -SIZE + 2),
    st.integers(0, 2**64),
)


@given(st.lists(STEPS, max_size=200))
def test_the_window_decides_as_a_set_would(steps: list[int]) -> None:
    window, rule = SlidingWindow(), EveryNumber()
    number = 0
    for step in steps:
        number = min(max(number + step, 0), 2**64 - 1)
        assert window.add(number) == rule.add(number)


@given(st.permutations(range(100)), st.integers(0, 2**64 - 100))
def test_any_order_within_the_window_is_accepted_once(order: list[int], base: int) -> None:
    window = SlidingWindow()
    assert all(window.add(base + number) for number in order)
    assert not any(window.add(base + number) for number in order)
