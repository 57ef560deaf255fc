import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.telemetry.figures import Figures


def figures(**values: float) -> Figures:
    made = Figures()
    for name, value in values.items():
        made.set(name, value)
    return made


def test_the_labels_are_those_of_the_family() -> None:
    made = Figures()
    made.set("user_connections_total", 3, "alice")
    assert made.get("user_connections_total", "alice") == 3
    assert made.get("user_connections_total", "bob") == 0
    with pytest.raises(ValueError, match="has the labels"):
        made.set("user_connections_total", 3)
    with pytest.raises(KeyError):
        made.set("no_such_series", 3)


def test_several_processes_are_the_sum_of_their_parts() -> None:
    one, two = figures(connections_accepted_total=3), figures(connections_accepted_total=4)
    one.set("user_connections_total", 1, "alice")
    two.set("user_connections_total", 2, "alice")
    two.set("user_connections_total", 5, "bob")
    one.add(two)
    assert one.get("connections_accepted_total") == 7
    assert one.get("user_connections_total", "alice") == 3
    assert one.get("user_connections_total", "bob") == 5


def test_of_what_all_see_the_largest_counts() -> None:
    one, two = Figures(), Figures()
    one.set("listener_accept_queue_high_water", 9, "127.0.0.1:1", "all")
    two.set("listener_accept_queue_high_water", 4, "127.0.0.1:1", "all")
    one.add(two)
    assert one.get("listener_accept_queue_high_water", "127.0.0.1:1", "all") == 9


def test_levels_end_with_their_process() -> None:
    one, gone = Figures(), figures(connections_accepted_total=4, udp_associations=2)
    one.add(gone, levels=False)
    assert one.values == {"shadowsocks_connections_accepted_total": {(): 4}}


def test_a_high_water_mark_outlives_its_process() -> None:
    name, at = "listener_accept_queue_high_water", ("[::]:8388", "all")
    whole, gone, alive = Figures(), Figures(), Figures()
    gone.set(name, 9, *at)
    alive.set(name, 2, *at)
    whole.add(gone, levels=False)
    whole.add(alive)
    assert whole.get(name, *at) == 9


@given(st.dictionaries(st.text(), st.integers(0, 1 << 62) | st.floats(0, 1e15)))
def test_what_is_written_is_read(users: dict[str, float]) -> None:
    made = figures(udp_associations=1.5)
    for user, value in users.items():
        made.set("user_connections_total", value, user)
    assert Figures.decode(made.encode()).values == made.values


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"connections_accepted_total": 3}',
        b'{"connections_accepted_total": [["too", "many", 3]]}',
        b'{"connections_accepted_total": [["three"]]}',
        b'{"connections_accepted_total": [[]]}',
        b'{"connections_accepted_total": [[null]]}',
        b'{"unheard_of_total": [[3]]}',
        b"[" * 100_000,
    ],
)
def test_anything_else_is_one_error(octets: bytes) -> None:
    with pytest.raises(ObserveError, match="cannot be read"):
        Figures.decode(octets)
