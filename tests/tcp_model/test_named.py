"""Enumerations print their names."""

from annotated_shadowsocks.tcp_model.states import Action, State


def test_members_print_as_their_names() -> None:
    assert repr([State.LISTEN, Action.RESEND_SYN_ACK]) == "[LISTEN, RESEND_SYN_ACK]"


def test_members_are_keys() -> None:
    assert {State.LISTEN: 1}[State("LISTEN")] == 1
