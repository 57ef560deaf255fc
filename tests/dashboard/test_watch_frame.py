"""The picture: always as large as it should be, and true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.dashboard.history import History
from annotated_shadowsocks.dashboard.listener_view import Sight
from annotated_shadowsocks.dashboard.watch_frame import Emphasis, Setting, curve, frame
from annotated_shadowsocks.dashboard.watch_view import Page, WatchView
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.kernel.listeners import Listener
from annotated_shadowsocks.kernel.owners import Owner
from annotated_shadowsocks.policy.listen_queue import Sysctls
from annotated_shadowsocks.wire.inet_diag import AF_INET

SYSCTLS = Sysctls(*(None for _ in Sysctls._fields))


def setting(width: int = 80, height: int = 24, unicode: bool = True) -> Setting:
    return Setting(width, height, unicode, "12:00:05", "net:[1]", SYSCTLS)


def history(count: int = 3) -> History:
    seen = History()
    for now in range(30):
        sights = [
            Sight(
                Listener(
                    Endpoint("127.0.0.1", 8000 + n),
                    AF_INET,
                    False,
                    0,
                    n,
                    n,
                    0,
                    min(now, 9) if n == 1 else 0,
                    8,
                    now if n == 1 else None,
                    half_open=2,
                ),
                (Owner(40 + n, "app"),),
            )
            for n in range(1, count + 1)
        ]
        seen.add(now, sights, {"ListenOverflows": 10 + now})
    return seen


def text(seen: History, view: WatchView) -> str:
    return "\n".join(line.text for line in frame(seen, view, setting()))


def test_a_full_listener_by_its_numbers() -> None:
    picture = text(history(), WatchView())
    (row,) = [line for line in picture.splitlines() if "8001" in line]
    assert row.split()[:5] == ["9/8", "!", "9", "2", "1.0"]
    assert "app(41)" in row
    assert "overflows 29 (+1)" in picture
    assert "3 listeners" in picture and "12:00:05" in picture


def test_a_long_filter_leaves_the_clock_its_place() -> None:
    view = WatchView(words="sport = :8000 or " * 5)
    head = frame(history(), view, setting())[0].text
    assert len(head) == 80 and head.endswith("… 12:00:05")


def test_drops_that_are_not_told_are_a_question() -> None:
    (row,) = [line for line in text(history(), WatchView()).splitlines() if "8002" in line]
    assert row.split()[3] == "?"


def test_a_listener_that_is_gone() -> None:
    seen = history()
    seen.add(31, [], {})
    (row,) = [line for line in text(seen, WatchView()).splitlines() if "8001" in line]
    assert " - " in row


@pytest.mark.parametrize("unicode", [True, False])
def test_without_other_letters_there_is_ascii_alone(unicode: bool) -> None:
    view = WatchView(page=Page.DETAIL, chosen=1)
    for one in (WatchView(), view):
        lines = frame(history(), one, setting(unicode=unicode))
        assert "\n".join(line.text for line in lines).isascii() is not unicode


def test_the_chosen_row_stands_out_and_stays_in_sight() -> None:
    seen, view = history(60), WatchView()
    for key in ("G", "k", "g"):
        view.press(key, seen)
        (row,) = [x for x in frame(seen, view, setting()) if x.emphasis is Emphasis.CHOSEN]
        assert f":{8000 + view.chosen} " in row.text


def test_the_closer_look_has_advice() -> None:
    picture = text(history(), WatchView(page=Page.DETAIL, chosen=1))
    assert "accept queue 9 of 8, holds 9: full" in picture
    assert "app (41) does not accept as fast as clients come" in picture
    assert "strace -f -p 41" in picture


def test_help_names_every_key() -> None:
    picture = text(history(), WatchView(page=Page.HELP))
    for key in ("Enter", "space", "/", "q"):
        assert key in picture


def test_what_is_typed_and_what_went_wrong_are_in_the_last_line() -> None:
    seen = history()
    assert frame(seen, WatchView(typed=":80"), setting())[-1].text == "/:80"
    seen.fail("netlink: no buffer space")
    assert frame(seen, WatchView(), setting())[-1].text == "netlink: no buffer space"


@given(
    width=st.integers(20, 200),
    height=st.integers(6, 60),
    count=st.integers(0, 40),
    page=st.sampled_from(Page),
    chosen=st.integers(0, 40),
)
def test_it_is_as_large_as_it_should_be(
    width: int, height: int, count: int, page: Page, chosen: int
) -> None:
    view = WatchView(page=page, chosen=chosen)
    lines = frame(history(count), view, setting(width, height))
    assert len(lines) == height
    assert max(len(line.text) for line in lines) <= width


def test_a_curve() -> None:
    assert curve([0, 1, 4, 8, 9], 8) == " ▁▄██"
    assert curve([0, 1, 4, 8, 9], 8, unicode=False) == " .=@@"
    # One in a deep queue is not nothing.
    assert curve([1], 4097) == "▁"
