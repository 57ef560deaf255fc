"""What watching our own queues costs: CPU µs of a glance and a look, and CPU of both as they are.

Run from the root of the repository: ``python -m bench.queue_probe``. CPU time of this process, user
and system. The look is taken on a host with so many other listeners and connections, because the
kernel lists all listeners of the namespace to whoever asks.
"""

import argparse
import logging

from annotated_shadowsocks.telemetry.queue_probe import QueueProbe
from annotated_shadowsocks.testing.queues import StalledListener

from .observe import cpu_us, sockets

#: Glances and looks in a second, as supervision.queue_watch takes them.
GLANCES, LOOKS = 9, 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.queue_probe")
    parser.add_argument("--own", type=int, default=4, help="listeners that are watched")
    parser.add_argument("--others", type=int, default=50, help="other listeners of the host")
    parser.add_argument("--connections", type=int, default=2000)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with sockets(options.connections, options.others):
        own = [StalledListener(1024) for _ in range(options.own)]
        probe = QueueProbe()
        probe.watch([(one.sock, None) for one in own], 1024)
        glance = cpu_us(probe.glance, 500)
        look = cpu_us(lambda: probe.look(0.0), 100)
        share = (GLANCES * glance + LOOKS * look) / 1e6
        print(
            f"{options.own} own listeners, {options.others} others, {options.connections} sockets"
        )
        print(f"glance {glance:8.1f} µs\nlook   {look:8.1f} µs")
        print(f"{GLANCES} glances and {LOOKS} look a second: {share:.3%} of a processor")
        for one in own:
            one.close()
        probe.close()


if __name__ == "__main__":
    main()
