"""Looks at this kernel."""

import os
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.dashboard import looker as module
from annotated_shadowsocks.dashboard.history import History, Track
from annotated_shadowsocks.dashboard.looker import Looker
from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.testing.queues import StalledListener


@pytest.fixture
def looker() -> Iterator[Looker]:
    with Looker(History()) as one:
        yield one


def track_of(looker: Looker, port: int) -> Track | None:
    tracks = looker._history.tracks.values()
    return next((one for one in tracks if one.sight.listener.local.port == port), None)


def test_a_queue_that_fills_and_goes(looker: Looker) -> None:
    with StalledListener(8) as stalled:
        looker.look()
        stalled.connect(5)
        looker.look()
        track = track_of(looker, stalled.port)
        assert track is not None
        assert (track.high, track.sight.listener.limit) == (5, 8)
        assert os.getpid() in [owner.pid for owner in track.sight.owners]
    looker.look()
    assert track.gone and track.high == 5


def test_a_listener_of_later_has_its_process_at_once(looker: Looker) -> None:
    looker.look()
    with StalledListener(8) as stalled:
        looker.look()
        track = track_of(looker, stalled.port)
        assert track is not None and track.sight.owners


def test_a_kernel_that_does_not_answer_is_noted(
    looker: Looker, monkeypatch: pytest.MonkeyPatch
) -> None:
    looker.look()

    def fail(diag: object) -> None:
        raise ObserveError("netlink", "no buffer space")

    with monkeypatch.context() as patch:
        patch.setattr(module, "glance", fail)
        with pytest.raises(ObserveError):
            looker.look()
        looker.try_to_look()
        assert "no buffer space" in looker._history.problem
    looker.try_to_look()
    assert not looker._history.problem
