from itertools import count

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.resolver.question import (
    Answer,
    Failure,
    Query,
    Question,
    ServerOrder,
    Truncation,
)

ONE, TWO = Endpoint("192.0.2.1", 53), Endpoint("192.0.2.2", 53)
ANSWER = Answer(("192.0.2.7",), 60)


def ask(attempts: int = 2, server_order: ServerOrder | None = None) -> Question:
    """A question put to server ONE at 100 s; each server has 2 s."""
    ids = count(0x1234)
    question = Question(
        "www.test",
        "A",
        [ONE, TWO],
        attempts,
        2.0,
        server_order or ServerOrder(),
        lambda n: next(ids).to_bytes(n, "big"),
    )
    question.ask_next(100)
    return question


def in_flight(question: Question) -> Query:
    assert question.query is not None
    return question.query


def test_a_query_carries_what_is_needed_to_send_it() -> None:
    question = ask()
    query = in_flight(question)
    fields = (query.id, query.name, query.rdtype, query.server, query.tcp)
    assert fields == (0x1234, "www.test", "A", ONE, False)
    assert question.expires == 102


def test_an_answer_settles_it() -> None:
    question = ask()
    question.receive(ANSWER, 101)
    assert question.answer == ANSWER
    assert question.query is None
    assert question.expires == float("inf")


def test_silence_in_every_round_settles_it_without_an_answer() -> None:
    question = ask(attempts=2)
    servers = []
    while question.query is not None:
        servers.append(question.query.server)
        question.handle_timer(question.expires)
    assert servers == [ONE, TWO, ONE, TWO]
    assert question.answer is None
    assert question.failures == {ONE: "did not answer", TWO: "did not answer"}


def test_a_timer_that_is_early_changes_nothing() -> None:
    question = ask()
    query = question.query
    question.handle_timer(101.9)
    assert question.query is query


def test_a_server_that_said_no_is_not_asked_in_the_next_round() -> None:
    question = ask(attempts=2)
    question.receive(Failure("answered REFUSED"), 100)
    question.handle_timer(102)
    assert in_flight(question).server == TWO
    question.handle_timer(104)
    assert question.query is None
    assert question.failures == {ONE: "answered REFUSED", TWO: "did not answer"}


def test_tcp_has_its_own_time_and_a_new_id() -> None:
    question = ask()
    before = in_flight(question).id
    question.receive(Truncation(), 101.5)
    query = in_flight(question)
    assert (query.server, query.tcp) == (ONE, True)
    assert query.id != before
    assert question.expires == 103.5


def test_by_tcp_too_long_is_no() -> None:
    question = ask(attempts=1)
    question.receive(Truncation(), 100)
    question.receive(Truncation(), 100)
    assert in_flight(question).server == TWO
    assert not in_flight(question).tcp
    assert question.failures == {ONE: "answered by TCP and still truncated"}


def test_when_settled_a_response_is_ignored() -> None:
    question = ask()
    question.settle()
    question.receive(ANSWER, 100)
    question.handle_timer(1000)
    assert question.answer is None


@pytest.mark.parametrize(
    "response", [ANSWER, Truncation(), Failure("answered SERVFAIL")], ids=lambda r: type(r).__name__
)
def test_any_word_of_a_server_lifts_what_was_held_against_it(
    response: Answer | Truncation | Failure,
) -> None:
    order = ServerOrder()
    order.was_silent(ONE, 99)
    question = ask(server_order=order)
    assert order.arrange([ONE, TWO], 100) == [TWO, ONE]
    question.receive(response, 100)
    assert order.arrange([ONE, TWO], 100) == [ONE, TWO]


def test_silence_is_held_against_a_server_for_a_while() -> None:
    order = ServerOrder()
    question = ask(server_order=order)
    question.handle_timer(102)
    assert order.arrange([ONE, TWO], 102) == [TWO, ONE]
    assert order.arrange([ONE, TWO], 102 + ServerOrder.MEMORY) == [ONE, TWO]


def test_where_all_were_silent_the_configured_order_holds() -> None:
    order = ServerOrder()
    order.was_silent(TWO, 100)
    order.was_silent(ONE, 101)
    assert order.arrange([ONE, TWO], 102) == [ONE, TWO]
