"""When the probe looks: ten glances a second, of which one is a look."""

from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.services.bindings import Bindings
from annotated_shadowsocks.supervision.queue_watch import QueueWatch
from annotated_shadowsocks.telemetry.queue_probe import QueueProbe, Readings
from annotated_shadowsocks.testing.manual_loop import ManualLoop
from annotated_shadowsocks.testing.server_harness import server_config


class CountingProbe(QueueProbe):
    def __init__(self) -> None:
        super().__init__(Readings(dict, dict, lambda family, port: 0))
        self.glances = self.looks = 0

    def glance(self) -> None:
        self.glances += 1
        super().glance()

    def look(self, now: float) -> None:
        self.looks += 1
        super().look(now)


def test_a_look_a_second_and_glances_between() -> None:
    config: Config = server_config()
    bindings = Bindings()
    bindings.open(config)
    loop, probe, told = ManualLoop(), CountingProbe(), []
    watch = QueueWatch(loop, lambda: told.append(1), probe)
    watch.start(config, bindings)
    [watched] = probe.watched
    assert watched.worker == "all"
    # The first is at once: what is told must not wait.
    assert probe.looks == len(told) == 1
    for _ in range(30):
        loop.advance(0.1)
    assert 3 <= probe.looks == len(told) <= 4
    assert probe.glances > 30
    # Another configuration is watched from now on, by the same timer.
    watch.start(config, bindings)
    assert len(loop.timers()) == 1
    watch.stop()
    assert loop.timers() == [] and probe.watched == []
    bindings.close()


def test_each_worker_is_told_apart_where_each_has_its_own() -> None:
    config = server_config()
    bindings = Bindings(workers=2, reuse_port=True)
    bindings.open(config)
    probe = CountingProbe()
    watch = QueueWatch(ManualLoop(), lambda: None, probe)
    watch.start(config, bindings)
    assert [one.worker for one in probe.watched] == ["0", "1"]
    watch.stop()
    bindings.close()
