"""Searches among many keys, on a loop whose time the test moves."""

import asyncio
from typing import Any

import pytest

from annotated_shadowsocks.crypto.methods import find
from annotated_shadowsocks.services.key_search import AT_ONCE, PER_HOST, STEP, KeySearches, Search
from annotated_shadowsocks.shadowsocks.aead_stream import opens
from annotated_shadowsocks.shadowsocks.credentials import Holder, KeyRing
from annotated_shadowsocks.shadowsocks.handshake import KeySought
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.testing.manual_loop import ManualLoop

METHOD = find("aes-128-gcm")
HOST, OTHER = "192.0.2.1", "192.0.2.2"
SALT = bytes(16)


def ring(size: int) -> KeyRing:
    return KeyRing([Holder(str(n), MasterKey(METHOD, n.to_bytes(16, "big"))) for n in range(size)])


def sealed(keys: KeyRing, number: int) -> bytes:
    """The first box of a stream by that holder; -1 is nobody's."""
    box = bytearray(18)
    key = keys.holders[number].key if number >= 0 else MasterKey(METHOD, b"\xff" * 16)
    key.session(SALT).encrypt_into(bytes(12), b"\0\5", None, box)
    return bytes(box)


class NotingLoop(ManualLoop):
    """Notes the delay of each timer."""

    def __init__(self) -> None:
        super().__init__()
        self.delays: list[float] = []

    def call_at(self, when: float, *rest: Any, **more: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        self.delays.append(when - self.time())
        return super().call_at(when, *rest, **more)


class Searcher:
    """Begins searches and notes their answers, in the order in which they come."""

    def __init__(self, size: int) -> None:
        self.loop = NotingLoop()
        self.keys = ring(size)
        self.searches = KeySearches(self.loop, self.keys)
        self.answers: list[tuple[str, str | None]] = []

    def begin(self, number: int, host: str = HOST) -> Search | None:
        found: list[Holder | None] = []

        def note() -> None:
            (holder,) = found
            self.answers.append((host, holder and holder.name))

        sought = KeySought(SALT, sealed(self.keys, number), found.append)
        search = self.searches.begin(sought, host, note)
        if search is None:
            note()
        return search

    def turns(self) -> int:
        """Run to the end; how many turns there have been."""
        self.loop.advance(0.0)
        assert not self.searches._waiting
        return len(self.loop.delays)


@pytest.mark.parametrize("number", [0, 1, AT_ONCE - 1, -1])
def test_few_keys_are_tried_at_once(number: int) -> None:
    searcher = Searcher(AT_ONCE)
    assert searcher.begin(number) is None
    assert searcher.begin(number) is None
    name = str(number) if number >= 0 else None
    assert searcher.answers == [(HOST, name)] * 2


@pytest.mark.parametrize("number", [1, STEP, STEP + 1, AT_ONCE, -1])
def test_many_keys_are_tried_in_steps(number: int) -> None:
    searcher = Searcher(AT_ONCE + 1)
    assert searcher.begin(number) is not None
    assert searcher.answers == []
    turns = searcher.turns()
    # The first key was tried before; nobody's box takes another turn to see that no key is left.
    assert turns == ((number - 1) // STEP + 1 if number > 0 else AT_ONCE // STEP + 1)
    assert searcher.answers == [(HOST, str(number) if number >= 0 else None)]


def test_whoever_was_there_is_found_at_once() -> None:
    searcher = Searcher(1000)
    assert searcher.begin(999) is not None
    searcher.turns()
    assert searcher.begin(999) is None
    assert searcher.begin(999, OTHER) is not None


def test_hosts_take_turns() -> None:
    searcher = Searcher(500)
    for _ in range(20):
        searcher.begin(-1)
    searcher.begin(499, OTHER)
    searcher.turns()
    # In as many turns as that search takes, the other host had no more.
    assert searcher.answers.index((OTHER, "499")) <= 1
    assert len(searcher.answers) == 21


def test_a_hosts_oldest_search_makes_room() -> None:
    searcher = Searcher(500)
    searcher.begin(499)
    for _ in range(PER_HOST):
        searcher.begin(-1)
    searcher.turns()
    assert searcher.answers == [(HOST, None)] * PER_HOST


def test_a_search_that_is_cancelled_has_no_answer() -> None:
    searcher = Searcher(500)
    search = searcher.begin(499)
    assert search is not None
    search.cancel()
    assert searcher.turns() == 1
    assert searcher.answers == []


def test_a_pause_is_as_long_as_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    searcher = Searcher(500)
    searcher.begin(-1)

    def slow(key: MasterKey, salt: bytes, box: bytes) -> bool:
        searcher.loop._now += 0.5
        return opens(key, salt, box)

    monkeypatch.setattr("annotated_shadowsocks.services.key_search.opens", slow)
    searcher.loop.advance(0.0)
    assert searcher.loop.delays == [0.0, STEP * 0.5]


def test_nothing_is_left_after_the_end() -> None:
    searcher = Searcher(500)
    searcher.begin(-1)
    searcher.searches.close()
    searcher.loop.advance(10.0)
    assert searcher.answers == []
