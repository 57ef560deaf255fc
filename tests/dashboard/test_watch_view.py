"""Each key, and what it does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.dashboard.history import History
from annotated_shadowsocks.dashboard.listener_view import Sight
from annotated_shadowsocks.dashboard.watch_view import SORTS, Page, WatchView
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.kernel.listeners import Listener
from annotated_shadowsocks.wire.inet_diag import AF_INET


def sight(number: int, depth: int, drops: int) -> Sight:
    local = Endpoint("127.0.0.1", 8000 + number)
    return Sight(Listener(local, AF_INET, False, 0, number, number, 0, depth, 8, drops), ())


@pytest.fixture
def history() -> History:
    """Three listeners: the second is the fullest, the third has dropped most."""
    seen = History()
    for now in (0, 1):
        queues = ((1, 1, 0), (2, 9, 2), (3, 4, 6))
        seen.add(now, [sight(n, depth, drops * now) for n, depth, drops in queues], {})
    return seen


def press(view: WatchView, history: History, *keys: str) -> None:
    for key in keys:
        view.press(key, history)


def order(view: WatchView, history: History) -> list[int]:
    return [track.sight.listener.cookie for track in view.listed(history)]


def test_the_fullest_comes_first(history: History) -> None:
    assert order(WatchView(), history) == [2, 3, 1]


def test_each_column_sorts_and_turns_round(history: History) -> None:
    view = WatchView()
    found = {}
    for name, _ in SORTS:
        found[name] = order(view, history)
        press(view, history, "s")
    assert found["drops"] == [3, 2, 1]
    assert found["port"] == [1, 2, 3]
    assert view.sort == 0
    press(view, history, "S")
    assert order(view, history) == [1, 3, 2]


def test_moving_stays_within(history: History) -> None:
    view = WatchView()
    for keys, cookie in ((["j"], 3), (["j"], 1), (["j"], 1), (["g"], 2), (["up"], 2), (["G"], 1)):
        press(view, history, *keys)
        assert view.chosen == cookie


def test_a_closer_look_and_back(history: History) -> None:
    view = WatchView()
    pages = []
    for key in ("enter", "escape", "?", "?", "?", "escape"):
        press(view, history, key)
        pages.append(view.page)
    closer, help_ = Page.DETAIL, Page.HELP
    assert pages == [closer, Page.LIST, help_, Page.LIST, help_, Page.LIST]
    assert view.chosen == 2


def test_a_filter_is_typed(history: History) -> None:
    view = WatchView()
    press(view, history, "/", *":8001", "backspace", "3", "enter")
    assert order(view, history) == [3]
    assert view.words == ":8003"
    press(view, history, "/", "enter")
    assert order(view, history) == [2, 3, 1]


def test_keys_are_letters_while_one_types(history: History) -> None:
    view = WatchView()
    press(view, history, "/", "q")
    assert (view.over, view.typed) == (False, "q")
    press(view, history, "escape")
    assert view.typed is None


def test_a_wrong_filter_is_explained_and_changes_nothing(history: History) -> None:
    view = WatchView()
    press(view, history, "/", *"dport = :80", "enter")
    assert "dport" in view.message
    assert len(order(view, history)) == 3
    press(view, history, "j")
    assert not view.message


def test_wishes_and_switches(history: History) -> None:
    view = WatchView()
    press(view, history, " ", "r", "e")
    assert view.paused and view.wishes == ["reset", "export"]
    press(view, history, " ", "x")
    assert not view.paused and view.message
    press(view, history, "q")
    assert view.over


KEYS = ["up", "down", "enter", "escape", "backspace", *"jkgGsS/ re?x:8", ""]


@given(st.lists(st.sampled_from(KEYS), max_size=40))
def test_no_keys_break_it_even_where_nothing_listens(keys: list[str]) -> None:
    view = WatchView()
    press(view, History(), *keys)
