"""The observer tells connections apart that differ, and does not those that do not."""

import math
import random
import socket
import struct
import threading
import time
from collections.abc import Callable

import pytest

from annotated_shadowsocks.testing.namespaces import in_fresh_network
from annotated_shadowsocks.testing.observer import Sight, Watch, apart


@pytest.mark.root
class TestWatch:
    """One connection over loopback, of a namespace where nobody else speaks."""

    def sight(
        self, serve: Callable[[socket.socket], None], speak: Callable[[socket.socket], None]
    ) -> Sight:
        def main() -> Sight:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
                with Watch("lo", port) as watch:
                    client = socket.create_connection(("127.0.0.1", port))
                    served, _ = listener.accept()
                    serving = threading.Thread(target=serve, args=(served,))
                    serving.start()
                    speak(client)
                    serving.join()
                    served.close()
                    client.close()
                ((_, sight),) = watch.sights().items()
                return sight

        return in_fresh_network(main)

    def test_an_answer_and_a_fin(self) -> None:
        def serve(sock: socket.socket) -> None:
            sock.sendall(sock.recv(10) + b"!")
            sock.shutdown(socket.SHUT_WR)

        def speak(sock: socket.socket) -> None:
            sock.sendall(b"hello")
            while sock.recv(10):
                pass

        sight = self.sight(serve, speak)
        assert (sight.octets, sight.end) == (6, "FIN")
        assert sight.acks >= 1 and sight.windows
        assert sight.ended > 0
        assert math.isnan(sight.answer_to_fin)

    def test_a_reset(self) -> None:
        def serve(sock: socket.socket) -> None:
            sock.recv(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

        def speak(sock: socket.socket) -> None:
            sock.sendall(b"hello")
            with pytest.raises(ConnectionResetError):
                sock.recv(10)

        sight = self.sight(serve, speak)
        assert (sight.octets, sight.end) == (0, "RST")

    def test_the_answer_to_a_fin(self) -> None:
        def serve(sock: socket.socket) -> None:
            while sock.recv(10):
                pass
            time.sleep(0.05)

        def speak(sock: socket.socket) -> None:
            sock.shutdown(socket.SHUT_WR)
            sock.recv(10)

        def serve_and_close(sock: socket.socket) -> None:
            serve(sock)
            sock.close()

        sight = self.sight(serve_and_close, speak)
        assert (sight.octets, sight.end) == (0, "FIN")
        assert sight.answer_to_fin >= 0.05


class TestApart:
    """Kolmogorov and Smirnov."""

    def test_equal_samples_are_not(self) -> None:
        assert apart([1, 2, 3] * 10, [1, 2, 3] * 10) == 1

    def test_a_known_value(self) -> None:
        # The statistic is 1/2, the effective size 25: K = (5 + 0.12 + 0.022) / 2 = 2.571, and
        # 2 (exp(-2 K^2) - exp(-8 K^2) + ...) = 3.63e-6.
        one, other = list(range(50)), list(range(25, 75))
        assert apart(one, other) == pytest.approx(2 * math.exp(-2 * 2.571**2), rel=1e-3)

    def test_samples_of_one_distribution_are_seldom(self) -> None:
        rng = random.Random(1)
        draws = [
            apart([rng.gauss(0, 1) for _ in range(60)], [rng.gauss(0, 1) for _ in range(60)])
            for _ in range(400)
        ]
        assert 0.01 < sum(p < 0.05 for p in draws) / len(draws) < 0.08

    def test_a_shift_of_one_deviation_is_seen(self) -> None:
        rng = random.Random(2)
        one = [rng.gauss(0, 1) for _ in range(60)]
        assert apart(one, [rng.gauss(1, 1) for _ in range(60)]) < 0.001
