"""The page: octets in, octets out."""

import pytest

from annotated_shadowsocks.lab.web_page import Facts, answer, is_complete
from annotated_shadowsocks.tcp_model.profiles import PROFILES, find

FACTS = Facts(find("bsd44"), backlog=1, accept_limit=1, waited=2, number=7)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_a_request_is_complete_when_its_head_is() -> None:
    assert [is_complete(GET[:end]) for end in range(len(GET))] == [False] * len(GET)
    assert is_complete(GET)
    assert is_complete(b"GET /\n\n")


def test_one_that_does_not_end_is_refused() -> None:
    endless = b"GET / HTTP/1.1\r\n" + b"x" * 20_000
    assert is_complete(endless)
    assert answer(endless, FACTS).startswith(b"HTTP/1.0 431 ")


def test_the_length_is_that_of_the_page() -> None:
    head, page = answer(GET, FACTS).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert f"Content-Length: {len(page)}".encode() in head.split(b"\r\n")
    assert answer(b"HEAD" + GET[3:], FACTS) == head + b"\r\n\r\n"


def test_it_says_what_it_is() -> None:
    page = answer(GET, FACTS).decode()
    assert "behaves as 4.4BSD does" in page
    assert "listen(1), which makes a limit of 1" in page
    assert "You are connection 7; 2 waited" in page
    assert "n + n0 &gt; 3L/2: dropped in silence" in page


def test_other_methods() -> None:
    assert answer(b"POST / HTTP/1.1\r\n\r\n", FACTS).startswith(b"HTTP/1.0 405 ")


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_has_a_page(name: str) -> None:
    page = answer(GET, FACTS._replace(profile=find(name))).decode()
    assert page.count("<li>") == len(find(name).syn_gates)
