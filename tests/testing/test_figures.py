import socket
import threading

from annotated_shadowsocks.testing.figures import FiguresPage

TEXT = """shadowsocks_a_total 3
# HELP x y
shadowsocks_b{from="c",user="d\\"e"} 1.5
shadowsocks_b{from="f"} 2
"""


def test_figures_are_read_from_a_page() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(3):
            sock, _ = listener.accept()
            with sock:
                assert b"Authorization: Bearer t" in sock.recv(4096)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(TEXT)}\r\n\r\n"
                sock.sendall((head + TEXT).encode())

    thread = threading.Thread(target=serve)
    thread.start()
    with listener:
        page = FiguresPage(listener.getsockname()[1], token="t")
        assert page.get("a_total") == 3
        assert page.get("b") == 3.5
        assert page.get("b", **{"from": "c"}) == 1.5
        thread.join()
    assert page.status("/metrics") == 0
