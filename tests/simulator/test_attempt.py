"""A new attempt, and a new request."""

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.simulator.attempt import NEVER, Attempt, HalfOpen
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.tcp_model.states import State


def test_an_attempt_begins_with_one_syn() -> None:
    listener = Listener(1, Endpoint("192.0.2.1", 80), DEFAULT, reuse_port=False)
    attempt = Attempt(0, listener, 5, 7)
    assert (attempt.state, attempt.knocks, attempt.started_at) == (State.SYN_SENT, 1, 7)
    assert attempt.outcome is None and attempt.queued_at == NEVER
    request = HalfOpen(attempt, 9)
    assert request.young
    # Nothing of it is a dictionary: a run has a million of them.
    assert not hasattr(attempt, "__dict__") and not hasattr(request, "__dict__")
