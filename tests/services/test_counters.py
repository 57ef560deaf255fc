import pytest

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
