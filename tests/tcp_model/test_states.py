"""The table is whole, and says what the RFCs say."""

import pytest

from annotated_shadowsocks.tcp_model.states import (
    SYNCHRONIZED,
    TRANSITIONS,
    Action,
    Arrival,
    State,
)


@pytest.mark.parametrize("state", State)
def test_every_state_knows_every_arrival(state: State) -> None:
    assert set(TRANSITIONS[state]) == set(Arrival)


@pytest.mark.parametrize("state", State)
def test_every_step_leads_somewhere(state: State) -> None:
    for step in TRANSITIONS[state].values():
        assert step.to


@pytest.mark.parametrize("state", State)
def test_answers_alone_change_no_state(state: State) -> None:
    idle = {Action.NEVER, Action.IGNORE, Action.RESET, Action.RESEND_SYN_ACK, Action.LINGER}
    idle |= {Action.ACKNOWLEDGE, Action.CHALLENGE}
    for step in TRANSITIONS[state].values():
        if step.action in idle:
            assert step.to <= {state} | {State.CLOSED, State.LISTEN}


@pytest.mark.parametrize("state", sorted(SYNCHRONIZED - {State.TIME_WAIT}, key=repr))
def test_synchronized_states_do_what_rfc_5961_asks(state: State) -> None:
    row = TRANSITIONS[state]
    # [RFC5961 §4.2] a SYN, whatever its number
    assert row[Arrival.SYN].action is row[Arrival.SYN_ACK].action is Action.CHALLENGE
    # [RFC5961 §3.2] an RST: exact, elsewhere in the window, out of it
    assert row[Arrival.RST].action is Action.ABORT
    assert row[Arrival.INEXACT_RST].action is Action.CHALLENGE
    assert row[Arrival.STRAY_RST].action is Action.IGNORE


@pytest.mark.parametrize("state", State)
def test_an_rst_is_never_answered_by_an_rst(state: State) -> None:
    for arrival in (Arrival.RST, Arrival.INEXACT_RST, Arrival.STRAY_RST):
        assert TRANSITIONS[state][arrival].action is not Action.RESET


@pytest.mark.parametrize(
    ("state", "arrival", "to"),
    # [RFC9293 §3.3.2] the edges of its figure 5 that a segment causes
    [
        (State.SYN_SENT, Arrival.SYN_ACK, State.ESTABLISHED),
        (State.SYN_RECEIVED, Arrival.ACK, State.ESTABLISHED),
        (State.ESTABLISHED, Arrival.FIN, State.CLOSE_WAIT),
        (State.FIN_WAIT_1, Arrival.ACK, State.FIN_WAIT_2),
        (State.FIN_WAIT_1, Arrival.FIN, State.CLOSING),
        (State.FIN_WAIT_1, Arrival.FIN, State.TIME_WAIT),
        (State.FIN_WAIT_2, Arrival.FIN, State.TIME_WAIT),
        (State.CLOSING, Arrival.ACK, State.TIME_WAIT),
        (State.LAST_ACK, Arrival.ACK, State.CLOSED),
    ],
)
def test_the_edges_of_the_rfc(state: State, arrival: Arrival, to: State) -> None:
    assert to in TRANSITIONS[state][arrival].to
