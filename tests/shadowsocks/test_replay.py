"""The replay store against a list of what was accepted, and against processes that die."""

import itertools
import mmap
import os
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from annotated_shadowsocks.errors import LocalProtocolError
from annotated_shadowsocks.shadowsocks import replay
from annotated_shadowsocks.shadowsocks.replay import CAPACITY, ReplayStore

KEY = bytes(range(16))
PAGE = 4096
WORDS_OF_PAGE = PAGE // 8


def store_of(capacity: int, buffer: bytearray | None = None) -> ReplayStore:
    if buffer is None:
        buffer = bytearray(ReplayStore.required_size(capacity))
    return ReplayStore(buffer, KEY, capacity=capacity)


def salts(start: int, stop: int) -> Iterator[bytes]:
    return (n.to_bytes(16, "big") for n in range(start, stop))


def slots_of(buffer: bytearray | memoryview) -> memoryview:
    """The words behind the header page."""
    return memoryview(buffer).cast("Q")[WORDS_OF_PAGE:]


# --- what is promised -------------------------------------------------------------------------


def test_a_million_salts_are_remembered_in_24_mebibytes() -> None:
    buffer = bytearray(ReplayStore.required_size())
    assert len(buffer) <= 24 * 2**20
    store = ReplayStore(buffer, KEY)
    assert CAPACITY == 1_000_000
    assert all(map(store.add, salts(0, CAPACITY)))
    assert not any(map(store.add, salts(0, CAPACITY)))


@pytest.mark.parametrize("capacity", [1, 2, 10, 341, 342, 1000])
def test_the_last_capacity_salts_are_refused_through_many_generations(capacity: int) -> None:
    buffer = bytearray(ReplayStore.required_size(capacity))
    store = store_of(capacity, buffer)
    per_generation = capacity + len(slots_of(buffer)) // 2 // WORDS_OF_PAGE
    for n in range(12 * per_generation + 1):
        (salt,) = salts(n, n + 1)
        assert salt not in store
        assert store.add(salt)
        # The oldest that must be remembered, the newest, and one between.
        for age in (min(n, capacity - 1), 0, min(n, capacity // 2)):
            (old,) = salts(n - age, n - age + 1)
            assert old in store
            assert not store.add(old)
    assert next(salts(0, 1)) not in store


class Remembering(RuleBasedStateMachine):
    """Two stores over one buffer, as two workers have, against a list of what was accepted."""

    @initialize(capacity=st.sampled_from([1, 3, 10, 700]))
    def create(self, capacity: int) -> None:
        buffer = bytearray(ReplayStore.required_size(capacity))
        self.stores = [store_of(capacity, buffer), store_of(capacity, buffer)]
        self.accepted: deque[bytes] = deque(maxlen=capacity)
        self.ever: set[bytes] = set()
        self.fresh = 1 << 64

    def add(self, store: ReplayStore, salt: bytes) -> None:
        remembered = salt in store
        new = store.add(salt)
        assert new is not remembered
        if salt in self.accepted:
            assert not new
        if salt not in self.ever:
            assert new
        if new:
            self.accepted.append(salt)
            self.ever.add(salt)

    @rule(worker=st.integers(0, 1), number=st.integers(0, 40))
    def add_one_of_few(self, worker: int, number: int) -> None:
        self.add(self.stores[worker], number.to_bytes(16, "big"))

    @rule(worker=st.integers(0, 1), salt=st.binary(min_size=16, max_size=32))
    def add_any(self, worker: int, salt: bytes) -> None:
        self.add(self.stores[worker], salt)

    @rule(worker=st.integers(0, 1), count=st.integers(1, 400))
    def add_many_new(self, worker: int, count: int) -> None:
        for salt in salts(self.fresh, self.fresh + count):
            self.add(self.stores[worker], salt)
        self.fresh += count

    @invariant()
    def both_remember_the_oldest_and_the_newest(self) -> None:
        if getattr(self, "accepted", None):
            for store in self.stores:
                assert self.accepted[0] in store
                assert self.accepted[-1] in store


TestRemembering = Remembering.TestCase
TestRemembering.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


# --- salts with timestamps --------------------------------------------------------------------


class Flooded(RuleBasedStateMachine):
    """Salts with timestamps at any rate, some without, and clocks that go anywhere."""

    @initialize(capacity=st.sampled_from([1, 3, 10]))
    def create(self, capacity: int) -> None:
        buffer = bytearray(ReplayStore.required_size(capacity))
        self.stores = [store_of(capacity, buffer), store_of(capacity, buffer)]
        self.fresh = 0
        self.now = 1_700_000_000
        self.accepted: list[tuple[bytes, int]] = []

    @rule(worker=st.integers(0, 1), offset=st.integers(-30, 30), count=st.integers(1, 15))
    def arrive(self, worker: int, offset: int, count: int) -> None:
        for salt in salts(self.fresh, self.fresh + count):
            if self.stores[worker].add(salt, self.now + offset):
                self.accepted.append((salt, self.now + offset))
        self.fresh += count

    @rule(worker=st.integers(0, 1), count=st.integers(1, 30))
    def arrive_without(self, worker: int, count: int) -> None:
        """A recording of these is good again one day, and a new one is always good."""
        assert all(map(self.stores[worker].add, salts(self.fresh, self.fresh + count)))
        self.fresh += count

    @rule(worker=st.integers(0, 1), which=st.integers(0))
    def replay(self, worker: int, which: int) -> None:
        if self.accepted:
            assert not self.stores[worker].add(*self.accepted[which % len(self.accepted)])

    @rule(seconds=st.integers(-3600, 3600))
    def set_clock(self, seconds: int) -> None:
        self.now += seconds

    def teardown(self) -> None:
        for salt, timestamp in getattr(self, "accepted", []):
            assert not self.stores[0].add(salt, timestamp)


TestFlooded = Flooded.TestCase
TestFlooded.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("capacity", [1, 10, 700])
def test_where_a_generation_lasts_for_61_seconds_nobody_is_refused(capacity: int) -> None:
    store, chance = store_of(capacity), random.Random(capacity)
    per_second = capacity / 61
    for n, salt in enumerate(salts(0, 8 * capacity + 50)):
        now = 1_700_000_000 + int(n / per_second)
        # Clocks of clients are off by as much as is allowed, one way or the other.
        assert store.add(salt, now + chance.choice((-30, 0, 30)))


def test_in_a_flood_the_latest_is_accepted_and_what_may_be_forgotten_is_not() -> None:
    capacity = 10
    store = store_of(capacity)
    assert store.add(b"recorded", 1000)
    assert all(store.add(salt, 1001) for salt in salts(0, 10))
    assert all(store.add(salt, 1002) for salt in salts(10, 22))
    # Its generation is forgotten, and so might be everything that has come in the same second.
    assert b"recorded" not in store
    assert not store.add(b"recorded", 1000)
    assert not store.add(b"never seen", 1001)
    assert store.add(b"never seen", 1002)
    # What says no time is not judged by it.
    assert store.add(b"of another protocol")


# --- how much it does at once -----------------------------------------------------------------


def test_no_add_clears_more_than_a_page() -> None:
    capacity, pages = 3000, 9
    buffer = bytearray(ReplayStore.required_size(capacity))
    assert len(buffer) == (1 + 2 * pages) * PAGE
    store = store_of(capacity, buffer)
    cleared = 0
    for salt in salts(0, 2 * (capacity + pages)):
        before = bytes(buffer)
        assert store.add(salt)
        here = [slice(at, at + PAGE) for at in range(PAGE, len(buffer), PAGE)]
        changed = [page for page in here if buffer[page] != before[page]]
        # One page has the new tag, and at most one other was cleared.
        assert len(changed) <= 2
        cleared += sum(not any(buffer[page]) for page in changed)
    # The second generation cleared the first, and the first had nothing to clear.
    assert cleared == pages


def test_an_unused_store_takes_no_memory() -> None:
    size = ReplayStore.required_size()
    fd = os.memfd_create("replay")
    try:
        os.ftruncate(fd, size)
        store = ReplayStore(memoryview(mmap.mmap(fd, size)), KEY)
        assert os.fstat(fd).st_blocks * 512 == PAGE
        assert all(map(store.add, salts(0, 10)))
        assert next(salts(11, 12)) not in store
        # The header, ten slots, and the slot of the question.
        assert os.fstat(fd).st_blocks * 512 <= (1 + 10 + 1) * PAGE
    finally:
        os.close(fd)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "key", "capacity", "text"),
    [
        (ReplayStore.required_size(10) - 1, KEY, 10, "buffer of 12287 octets where 12288"),
        (ReplayStore.required_size(10), KEY[1:], 10, "hash key of 15 octets, not 16"),
        (ReplayStore.required_size(10), KEY, 0, "capacity of 0"),
        (ReplayStore.required_size(10), KEY, 1 << 31, "capacity of 2147483648"),
    ],
)
def test_arguments_that_cannot_work(size: int, key: bytes, capacity: int, text: str) -> None:
    with pytest.raises(LocalProtocolError, match=text):
        ReplayStore(bytearray(size), key, capacity=capacity)


def test_sharing_with_another_key_or_capacity_is_refused() -> None:
    buffer = bytearray(ReplayStore.required_size(10))
    store_of(10, buffer)
    with pytest.raises(LocalProtocolError, match="another hash key or capacity"):
        ReplayStore(buffer, bytes(16), capacity=10)
    with pytest.raises(LocalProtocolError, match="another hash key or capacity"):
        ReplayStore(buffer, KEY, capacity=9)
    assert store_of(10, buffer).add(b"salt")


def test_a_larger_buffer_is_used_in_part() -> None:
    size = ReplayStore.required_size(10)
    buffer = bytearray(size + 3)
    assert all(map(store_of(10, buffer).add, salts(0, 100)))
    assert not any(buffer[size:])


def test_an_overwritten_buffer_refuses_instead_of_searching_for_ever() -> None:
    buffer = bytearray(ReplayStore.required_size(10))
    store = store_of(10, buffer)
    buffer[PAGE:] = b"\xff" * (len(buffer) - PAGE)
    with pytest.raises(LocalProtocolError, match="overwritten"):
        store.add(b"salt")


def test_tags_depend_on_the_key() -> None:
    tables = []
    for key in (KEY, bytes(16)):
        buffer = bytearray(ReplayStore.required_size(10))
        ReplayStore(buffer, key, capacity=10).add(b"salt")
        tables.append(slots_of(buffer).tolist())
    assert tables[0] != tables[1]


def test_a_hash_of_zero_is_not_a_free_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZeroHash:
        def copy(self) -> "ZeroHash":
            return self

        def update(self, data: bytes) -> None: ...

        def digest(self) -> bytes:
            return bytes(8)

    monkeypatch.setattr(replay, "blake2b", lambda **kwargs: ZeroHash())
    store = store_of(10)
    assert store.add(b"salt")
    assert not store.add(b"salt")


def test_every_access_holds_the_lock() -> None:
    class Lock:
        held = 0
        entered = 0

        def __enter__(self) -> None:
            self.held += 1
            self.entered += 1

        def __exit__(self, *exc: object) -> None:
            self.held -= 1

    lock = Lock()
    store = ReplayStore(bytearray(ReplayStore.required_size(10)), KEY, lock, 10)
    assert (lock.entered, lock.held) == (1, 0)
    store.add(b"salt")
    assert (lock.entered, lock.held) == (2, 0)
    assert b"salt" in store
    assert (lock.entered, lock.held) == (3, 0)


# --- processes --------------------------------------------------------------------------------


class Died(BaseException):
    """Stands for the end of a process at one bytecode."""


def dies_at(step: int, call: Callable[[], object]) -> bool:
    """Run ``call`` and end it before bytecode number ``step`` of replay.py; False if it returned
    earlier.
    """
    steps = iter(range(step))

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != replay.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and next(steps, None) is None:
            raise Died
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except Died:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize(
    ("capacity", "accepted"),
    [
        # A generation of capacity 10 is 11 salts: the first ten, and one that clears the only page.
        *((10, accepted) for accepted in range(2 * 11 + 2)),
        # One of capacity 700 is 703, the last three of which clear a page each.
        *((700, accepted) for accepted in range(2 * 703 - 4, 2 * 703 + 1)),
    ],
)
def test_death_between_any_two_stores(capacity: int, accepted: int) -> None:
    start = bytearray(ReplayStore.required_size(capacity))
    assert all(map(store_of(capacity, start).add, salts(0, accepted)))
    victim = b"the salt that was being added"
    outcomes = set()
    for step in itertools.count():
        buffer = bytearray(start)
        died = dies_at(step, partial(store_of(capacity, buffer).add, victim, 1000))
        survivor = store_of(capacity, buffer)
        last = deque(salts(0, accepted), maxlen=capacity)
        stored = victim in survivor
        outcomes.add(stored)
        assert survivor.add(victim, 1000) is not stored
        # Accepted, by the one that died or by the one that lives.
        last.append(victim)
        assert all(salt in survivor for salt in last)
        assert not survivor.add(victim)
        for salt in salts(accepted, accepted + 3 * min(capacity, 10)):
            assert survivor.add(salt)
            last.append(salt)
            assert last[0] in survivor
            assert last[-1] in survivor
            # Remembered, or forgotten together with its second.
            assert not survivor.add(victim, 1000)
        if not died:
            break
    # It did die before the salt was stored, and behind it.
    assert outcomes == {False, True}


def test_added_counts_through_generations() -> None:
    store = store_of(1000)
    for number, salt in enumerate(salts(0, 10_000)):
        assert store.added == number
        assert store.add(salt)


@pytest.mark.parametrize("state", [2000, 0xFFFF_FFFF_0000_0000])
def test_a_state_that_cannot_be_is_refused(state: int) -> None:
    buffer = bytearray(ReplayStore.required_size(1000))
    store_of(1000, buffer)
    # The state is the second word.
    memoryview(buffer).cast("Q")[1] = state
    with pytest.raises(LocalProtocolError, match="more salts than it can hold"):
        store_of(1000, buffer)
