"""The decisions, with responses by hand and time as a number."""

from itertools import count

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.resolver.host_files import ResolvConf
from annotated_shadowsocks.resolver.question import (
    Answer,
    Failure,
    Query,
    Response,
    ServerOrder,
    Truncation,
)
from annotated_shadowsocks.resolver.resolution import Limits, Outcome, Resolution, by_turns

ONE, TWO = Endpoint("192.0.2.1", 53), Endpoint("192.0.2.2", 53)
NO_DATA = Answer((), 60)
NO_NAME = Answer((), 60, name_exists=False)
SERVFAIL = Failure("answered SERVFAIL")


class Scene:
    """A resolution that began at 100 s, and shorthand to look at it and to push it."""

    def __init__(
        self,
        name: str = "www.example.test",
        *servers: Endpoint,
        search: tuple[str, ...] = (),
        attempts: int = 2,
        limits: Limits | None = None,
        ipv6_first: bool = False,
        server_order: ServerOrder | None = None,
    ) -> None:
        self.now = 100.0
        self.server_order = server_order or ServerOrder()
        ids = count(1)
        self.resolution = Resolution(
            name,
            ResolvConf(servers or (ONE, TWO), search, 1, 5, attempts),
            limits or Limits(total=5),
            ipv6_first,
            self.server_order,
            lambda n: next(ids).to_bytes(n, "big"),
            self.now,
        )

    def query(self, rdtype: str) -> Query:
        (query,) = [q for q in self.resolution.in_flight if q.rdtype == rdtype]
        return query

    def respond(self, rdtype: str, response: Response) -> None:
        self.resolution.receive(self.query(rdtype), response, self.now)

    def pass_time(self) -> None:
        self.now = self.resolution.get_timer()
        self.resolution.handle_timer(self.now)

    def asked(self) -> list[tuple[str, str, Endpoint, bool]]:
        return [(q.name, q.rdtype, q.server, q.tcp) for q in self.resolution.in_flight]

    @property
    def outcome(self) -> Outcome | None:
        return self.resolution.outcome


def test_both_types_are_asked_of_the_first_server_at_once() -> None:
    scene = Scene()
    assert scene.asked() == [
        ("www.example.test", "A", ONE, False),
        ("www.example.test", "AAAA", ONE, False),
    ]
    assert [query.id for query in scene.resolution.in_flight] == [1, 2]


@pytest.mark.parametrize("ipv6_first", [False, True])
def test_the_families_take_turns(ipv6_first: bool) -> None:
    scene = Scene(ipv6_first=ipv6_first)
    scene.respond("AAAA", Answer(("2001:db8::1",), 300))
    assert scene.outcome is None
    scene.respond("A", Answer(("192.0.2.7", "192.0.2.8"), 200))
    first, second = ("2001:db8::1", "192.0.2.7") if ipv6_first else ("192.0.2.7", "2001:db8::1")
    assert scene.outcome == Outcome((first, second, "192.0.2.8"), 200)
    assert scene.resolution.in_flight == []


def test_each_address_once_and_at_most_64() -> None:
    v4 = [f"192.0.2.{n}" for n in range(100)]
    v6 = [f"2001:db8::{n}" for n in range(100)]
    mixed = by_turns([*v4, *v4, *v6], ipv6_first=False)
    assert len(mixed) == 64
    assert mixed[:4] == ("192.0.2.0", "2001:db8::0", "192.0.2.1", "2001:db8::1")
    assert by_turns(v4 * 2, ipv6_first=True) == tuple(v4[:64])


@pytest.mark.parametrize(
    ("ttl", "remembered"), [(0, 1), (1, 1), (300, 300), (3600, 3600), (2**31 - 1, 3600)]
)
def test_the_ttl_is_kept_within_bounds(ttl: int, remembered: int) -> None:
    scene = Scene()
    scene.respond("A", Answer(("192.0.2.7",), ttl))
    scene.respond("AAAA", NO_DATA)
    assert scene.outcome == Outcome(("192.0.2.7",), remembered)


@pytest.mark.parametrize(("ttl", "remembered"), [(0, 1), (7, 7), (86400, 30)])
def test_a_missing_name_is_remembered_briefly(ttl: int, remembered: int) -> None:
    scene = Scene()
    scene.respond("A", Answer((), ttl, name_exists=False))
    scene.respond("AAAA", Answer((), 86400, name_exists=False))
    assert scene.outcome == Outcome((), remembered, "no such name")


def test_a_name_without_addresses() -> None:
    scene = Scene()
    scene.respond("A", NO_DATA)
    scene.respond("AAAA", NO_DATA)
    assert scene.outcome == Outcome((), 30, "the name has no address")


def test_a_server_that_fails_is_followed_by_the_next_and_not_asked_again() -> None:
    scene = Scene()
    scene.respond("A", SERVFAIL)
    assert scene.asked()[0] == ("www.example.test", "A", TWO, False)
    assert scene.asked()[1] == ("www.example.test", "AAAA", ONE, False)
    scene.respond("A", SERVFAIL)
    scene.respond("AAAA", SERVFAIL)
    scene.respond("AAAA", SERVFAIL)
    assert scene.outcome == Outcome(
        (), 1, "192.0.2.1:53 answered SERVFAIL, 192.0.2.2:53 answered SERVFAIL"
    )


def test_silent_servers_get_another_turn_and_all_ends_in_time() -> None:
    scene = Scene()
    turns = []
    while scene.outcome is None:
        turns.append((scene.now, scene.query("A").server))
        scene.pass_time()
    assert turns == [(100, ONE), (101.25, TWO), (102.5, ONE), (103.75, TWO)]
    assert scene.now == 105
    assert scene.outcome == Outcome(
        (), 1, "192.0.2.1:53 did not answer, 192.0.2.2:53 did not answer"
    )


def test_the_deadline_holds_whatever_the_servers_do() -> None:
    limits = Limits(total=5)
    scene = Scene("a", ONE, search=("x.test", "y.test", "z.test"), attempts=1, limits=limits)
    for _ in range(3):
        scene.now += 1.6
        scene.respond("A", NO_NAME)
        scene.respond("AAAA", NO_NAME)
    assert scene.asked()[0][0] == "a"
    assert scene.resolution.get_timer() == 105
    scene.pass_time()
    assert scene.outcome == Outcome((), 1, "no answer within 5 s")


def test_a_new_query_has_a_new_id() -> None:
    scene = Scene()
    before = {query.id for query in scene.resolution.in_flight}
    scene.pass_time()
    assert before.isdisjoint(query.id for query in scene.resolution.in_flight)


def test_a_response_to_a_query_that_was_given_up_is_ignored() -> None:
    scene = Scene()
    late = scene.query("A")
    scene.pass_time()
    scene.resolution.receive(late, Answer(("192.0.2.66",), 60), scene.now)
    scene.respond("A", NO_DATA)
    scene.respond("AAAA", NO_DATA)
    assert scene.outcome == Outcome((), 30, "the name has no address")


def test_after_the_outcome_nothing_changes_it() -> None:
    scene = Scene()
    late = scene.query("A")
    scene.respond("A", Answer(("192.0.2.7",), 60))
    scene.respond("AAAA", NO_DATA)
    scene.resolution.receive(late, Answer(("192.0.2.66",), 60), scene.now)
    scene.resolution.handle_timer(scene.now + 100)
    assert scene.outcome == Outcome(("192.0.2.7",), 60)


def test_truncation_is_followed_by_tcp_to_the_same_server() -> None:
    scene = Scene()
    scene.respond("A", Truncation())
    assert scene.asked()[0] == ("www.example.test", "A", ONE, True)
    scene.respond("A", Answer(("192.0.2.7",), 60))
    scene.respond("AAAA", NO_DATA)
    assert scene.outcome == Outcome(("192.0.2.7",), 60)


def test_truncation_by_tcp_is_a_failure() -> None:
    scene = Scene()
    scene.respond("A", Truncation())
    scene.respond("A", Truncation())
    assert scene.asked()[0] == ("www.example.test", "A", TWO, False)


def test_the_search_list_in_order() -> None:
    scene = Scene("db", search=("one.test", "two.test"))
    names = []
    for _ in range(3):
        names.append(scene.query("A").name)
        scene.respond("A", NO_NAME)
        scene.respond("AAAA", NO_NAME if len(names) != 2 else NO_DATA)
    assert names == ["db.one.test", "db.two.test", "db"]
    assert scene.outcome == Outcome((), 30, "no such name")


def test_the_search_ends_with_the_first_that_has_addresses() -> None:
    scene = Scene("db", search=("one.test", "two.test"))
    scene.respond("A", Answer(("192.0.2.7",), 60))
    scene.respond("AAAA", NO_DATA)
    assert scene.outcome == Outcome(("192.0.2.7",), 60)


def test_the_search_does_not_go_past_a_server_that_is_out_of_order() -> None:
    scene = Scene("db", ONE, search=("one.test",))
    scene.respond("A", SERVFAIL)
    scene.respond("AAAA", NO_NAME)
    assert scene.outcome == Outcome((), 1, "192.0.2.1:53 answered SERVFAIL")


def test_a_family_that_is_late_holds_up_the_other_only_briefly() -> None:
    scene = Scene(limits=Limits(total=5, straggler=0.25))
    scene.now = 100.5
    scene.respond("A", Answer(("192.0.2.7",), 300))
    assert not scene.resolution.early
    scene.pass_time()
    assert scene.now == 100.75
    assert scene.resolution.early == ("192.0.2.7",)
    assert scene.outcome is None
    scene.respond("AAAA", Answer(("2001:db8::1",), 300))
    assert scene.outcome == Outcome(("192.0.2.7", "2001:db8::1"), 300)


def test_half_an_answer_is_remembered_briefly() -> None:
    scene = Scene()
    scene.respond("A", Answer(("192.0.2.7",), 300))
    while scene.outcome is None:
        scene.pass_time()
    assert scene.now == 105
    assert scene.outcome == Outcome(("192.0.2.7",), 30)


def test_a_server_that_cannot_be_reached_counts_as_silent() -> None:
    scene = Scene()
    scene.respond("A", Failure("is out of reach", silent=True))
    assert scene.asked()[0] == ("www.example.test", "A", TWO, False)
    assert scene.server_order.arrange((ONE, TWO), scene.now) == [TWO, ONE]
