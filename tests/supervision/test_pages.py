"""The little HTTP server: what it answers, and what nobody can make it do."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.supervision import pages
from annotated_shadowsocks.supervision.pages import Page, Pages, respond
from annotated_shadowsocks.testing.loops import run_on
from annotated_shadowsocks.testing.targets import until

CONTENT = {"/one": lambda: Page(200, "first\n"), "/sick": lambda: Page(503, "why\n")}


def ask(text: str, token: str | None = None) -> tuple[int, dict[str, str], bytes]:
    answer = respond(
        text.replace("\n", "\r\n").encode("latin-1"), CONTENT, Secret(token) if token else None
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    headers = dict(field.split(": ", 1) for field in fields)
    assert headers["Connection"] == "close"
    return int(status.split()[1]), headers, body


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_page(version: str) -> None:
    status, headers, body = ask(f"GET /one HTTP/{version}\nHost: 127.0.0.1:9150\n\n")
    assert (status, body) == (200, b"first\n")
    assert headers["Content-Length"] == "6"
    assert ask("GET /sick?x=1 HTTP/1.1\nHost: [::1]\n\n")[::2] == (503, b"why\n")
    assert ask("GET /none HTTP/1.1\n\n")[0] == 404


def test_head_is_get_without_the_body() -> None:
    status, headers, body = ask("HEAD /one HTTP/1.1\nHost: localhost\n\n")
    assert (status, headers["Content-Length"], body) == (200, "6", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "get", "OPTIONS"])
def test_nothing_can_be_changed(method: str) -> None:
    status, headers, _ = ask(f"{method} /one HTTP/1.1\nHost: localhost\n\n")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "line", ["", "GET", "GET /one", "GET  /one HTTP/1.1", "GET /one HTTP/2", "\x00\xff"]
)
def test_what_is_no_request(line: str) -> None:
    assert ask(f"{line}\n\n")[0] == 400


@pytest.mark.parametrize("host", ["example.org", "example.org:9150", "localhost.evil", "a b", ":"])
def test_a_name_that_is_not_ours_was_led_here(host: str) -> None:
    assert ask(f"GET /one HTTP/1.1\nHost: {host}\n\n")[0] == 421
    # Whoever has the token was not.
    authorised = f"GET /one HTTP/1.1\nHost: {host}\nAuthorization: Bearer t\n\n"
    assert ask(authorised, token="t")[0] == 200


@pytest.mark.parametrize(
    "header",
    ["", "Authorization: Bearer", "Authorization: Bearer T", "Authorization: Basic t", "X: é"],
)
def test_without_the_token_there_is_nothing(header: str) -> None:
    status, headers, body = ask(f"GET /one HTTP/1.1\n{header}\n\n", token="t")
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert b"first" not in body
    assert ask(f"GET /none HTTP/1.1\n{header}\n\n", token="t")[0] == 401


def test_the_token_in_any_spelling_of_the_header() -> None:
    assert ask("GET /one HTTP/1.1\nAUTHORIZATION:   Bearer t \n\n", token="t")[0] == 200


@given(st.binary(max_size=300))
def test_any_octets_have_an_answer(octets: bytes) -> None:
    assert respond(octets, CONTENT, None).startswith(b"HTTP/1.1 ")


# -- on a socket ----------------------------------------------------------------------------------


class Served:
    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.pages = Pages(CONTENT, None)

    async def __aenter__(self) -> "Served":
        await self.pages.serve([self.listener])
        return self

    async def __aexit__(self, *_: object) -> None:
        self.pages.close()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.listener.getsockname())

    async def ask(self, *pieces: bytes) -> bytes:
        reader, writer = await self.connect()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            return await reader.read()
        finally:
            writer.close()


REQUEST = b"GET /one HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_a_request_in_any_pieces() -> None:
    async def main() -> None:
        async with Served() as served:
            whole = await served.ask(REQUEST)
            assert whole.endswith(b"\r\n\r\nfirst\n")
            assert await served.ask(*(bytes([octet]) for octet in REQUEST)) == whole

    run_on("asyncio", main)


def test_a_request_without_end_is_refused_and_one_that_ends_early_is_dropped() -> None:
    async def main() -> None:
        async with Served() as served:
            assert (await served.ask(b"GET /" + b"a" * 20000)).startswith(b"HTTP/1.1 431 ")
            reader, writer = await served.connect()
            writer.write(REQUEST[:-1])
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            assert (await served.ask(REQUEST)).startswith(b"HTTP/1.1 200 ")

    run_on("asyncio", main)


def test_whoever_says_nothing_is_dropped_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_PATIENCE", 0.05)

    async def main() -> None:
        async with Served() as served:
            reader, writer = await served.connect()
            writer.write(b"GET /one HTTP/1.1\r\nX: ")
            with pytest.raises(ConnectionResetError):
                assert await reader.read() == b""
                raise ConnectionResetError
            writer.close()
            await until(lambda: served.pages._clients == 0)

    run_on("asyncio", main)


def test_only_so_many_at_a_time() -> None:
    async def main() -> None:
        async with Served() as served:
            held = [await served.connect() for _ in range(pages._CLIENTS)]
            await until(lambda: served.pages._clients == pages._CLIENTS)
            with pytest.raises(ConnectionResetError):
                if await served.ask(REQUEST) == b"":
                    raise ConnectionResetError
            for _, writer in held:
                writer.close()
            await until(lambda: served.pages._clients == 0)
            assert (await served.ask(REQUEST)).startswith(b"HTTP/1.1 200 ")

    run_on("asyncio", main)
