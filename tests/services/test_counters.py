import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import AuthenticationError, DialError, ReplayError
from annotated_shadowsocks.services.counters import Counters


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (AuthenticationError(), "authentication"),
        (ReplayError(), "replay"),
        (DialError("somewhere", "refused"), "dial"),
        (ConnectionResetError(), "reset"),
        (TimeoutError(), "timeout"),
        (ZeroDivisionError(), "bug"),
    ],
)
def test_failures_are_counted_by_their_word(error: Exception, word: str) -> None:
    counters = Counters()
    counters.failed(error)
    counters.failed(error)
    assert counters.failures == {word: 2}


def test_a_port_has_one_account() -> None:
    counters = Counters()
    counters.port(Endpoint("127.0.0.1", 1)).octets += 5
    assert counters.port(Endpoint("127.0.0.1", 1)).octets == 5
    assert counters.port(Endpoint("127.0.0.1", 2)).octets == 0
