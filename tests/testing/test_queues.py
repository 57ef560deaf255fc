"""The stalled listener has in its queues what a test puts there."""

import pytest

from annotated_shadowsocks.testing.queues import StalledListener, until


def test_connections_stay_in_the_queue() -> None:
    with StalledListener(backlog=4) as stalled:
        assert stalled.queue() == (0, 4)
        stalled.fill(3)
        assert stalled.queue() == (3, 4)


def test_a_deferred_connection_is_queued_once_it_has_sent_something() -> None:
    with StalledListener(deferred=True) as stalled:
        (client,) = stalled.connect(1)
        assert stalled.queue()[0] == 0
        client.send(b"x")
        until(lambda: stalled.queue()[0] == 1)


def test_what_it_opened_ends_with_it() -> None:
    with StalledListener() as stalled:
        (client,) = stalled.connect(1)
        stalled.knock(1)
    assert client.fileno() == stalled.sock.fileno() == -1


def test_impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotated_shadowsocks.testing.queues._PATIENCE", 0.0)
    with pytest.raises(TimeoutError):
        until(lambda: False)
