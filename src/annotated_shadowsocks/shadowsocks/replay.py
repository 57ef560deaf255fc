"""The replay store: which salts have opened a stream or a packet here before.

An AEAD stream authenticates whoever knows the password, and so does a recording of it. What tells
the two apart is that a salt is never used twice, so a server has to remember salts, and a million
of them before it may forget one.

The store is one flat buffer, so that worker processes can share it: a page of header and two
tables of keyed 64-bit tags, open addressing, linear probing, zero for a free slot::

    +---------------------+--------------------+--------------------+
    | identity state .... |  even generations  |  odd generations   |
    +---------------------+--------------------+--------------------+
    |      one page       |  1.5 slots a salt  |  1.5 slots a salt  |

Salts come in *generations*. The current one is filled in one table while the older one is still
remembered in the other. Once the current generation holds ``capacity`` salts by itself, the older
one is not asked any more, and each salt that follows clears one page of it. When the last page is
clear the next generation starts there. So nothing is ever cleared in one long step, and between
``capacity`` and a little over twice as many salts are remembered at any time.

All that has to change with the slots is one word, the state: the number of the generation and how
many salts it holds. Which table is current and which page is to be cleared follow from it. A
process may be killed anywhere: ``add`` says in which order it stores, and why that is enough.

A million salts are an hour of a busy server or ten seconds of a flood. Where a salt comes with a
timestamp, as in SIP022, forgetting it early must not let its recording in. So each generation has
a word for the latest timestamp that came in it, and one more word is the latest in any generation
that was forgotten: what is not later than that is refused, seen before or not. A generation that
lasts for a minute forgets only what is too old by then, and nobody notices; in a flood, whoever has
a slow clock is refused, and no recording is accepted. No clock of ours is asked, so none can be
set back.

How exact: a salt among the last ``capacity`` is always refused. A new one is refused by mistake
where its tag equals one of the two million or so in the store, once in 9e12 checks, and nobody
without the hash key can look for such a salt. Rejected: a Bloom filter, which saves a third of
the memory, but makes 43 probes a check to err as rarely, and tags of 32 bits, which would refuse
one genuine stream in 2100.
"""

from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b

from ..errors import LocalProtocolError

__all__ = ["CAPACITY", "HASH_KEY_SIZE", "ReplayStore"]

#: Salts that a store remembers at least.
CAPACITY = 1_000_000

#: Octets of the key under which salts are hashed.
HASH_KEY_SIZE = 16

_WORD = 8
#: Words of a page of memory: the unit of clearing, so that one add dirties one page by it.
_PAGE = 4096 // _WORD
_CLEAR_PAGE = memoryview(bytes(_PAGE * _WORD)).cast("Q")

_IDENTITY = 0
_STATE = 1
#: The latest timestamp that was forgotten, and the latest in even and in odd generations.
_FORGOTTEN = 2
_LATEST = 3
#: What one generation adds to the state; the part below counts salts.
_GENERATION = 1 << 32

_UNSHARED = nullcontext()


class ReplayStore:
    """Salts seen before, in a buffer that the caller owns and other processes may share.

    ``buffer`` is writable and at least ``required_size(capacity)`` octets: a ``bytearray``, or a
    ``memoryview`` of a shared ``mmap``. All zero is an empty store; pages are touched when used.
    ``key`` is ``HASH_KEY_SIZE`` secret random octets. ``lock`` is entered around each access: one
    that all sharing processes respect and the kernel releases when a process dies. Whoever shares
    a buffer passes the same key and capacity, else ``LocalProtocolError``.

    Ask only about salts whose stream or packet has been authenticated: else anyone who sees a
    salt pass can plant it here first and lock its owner out. Add the salts that we send as well:
    else what we sent is accepted when it is thrown back at us.
    """

    __slots__ = ("_capacity", "_hash", "_header", "_limit", "_lock", "_tables")

    @classmethod
    def required_size(cls, capacity: int = CAPACITY) -> int:
        """Octets of the buffer for ``capacity`` salts."""
        return (1 + 2 * _pages(capacity)) * _PAGE * _WORD

    def __init__(
        self,
        buffer: bytearray | memoryview,
        key: bytes,
        lock: AbstractContextManager[object] = _UNSHARED,
        capacity: int = CAPACITY,
    ) -> None:
        if len(key) != HASH_KEY_SIZE:
            raise LocalProtocolError(f"hash key of {len(key)} octets, not {HASH_KEY_SIZE}")
        if not 0 < capacity < _GENERATION // 2:
            raise LocalProtocolError(f"capacity of {capacity} salts")
        size, octets = self.required_size(capacity), memoryview(buffer).cast("B")
        if len(octets) < size:
            raise LocalProtocolError(f"buffer of {len(octets)} octets where {size} are needed")
        words = octets[:size].cast("Q")
        pages = _pages(capacity)
        table = pages * _PAGE
        self._hash = blake2b(key=key, digest_size=_WORD)
        self._lock = lock
        self._capacity = capacity
        self._limit = capacity + pages
        self._header = words[:_PAGE]
        self._tables = words[_PAGE:][:table], words[_PAGE:][table:]
        with lock:
            self._identify()

    def add(self, salt: bytes, timestamp: int = 0) -> bool:
        """Remember ``salt``; True where it was new. Check and insertion are one step.

        ``timestamp`` is the second, since 1970, that the salt's owner gave with it, or 0 for none.
        Where it is so early that the salt may have been forgotten, that is False too.
        """
        tag = self._tag(salt)
        with self._lock:
            generation, count = self._position()
            current, older = self._tables[generation & 1], self._tables[~generation & 1]
            slot = _find(current, tag)
            if current[slot]:
                return False
            if count >= self._capacity:
                # A process that dies here leaves the state as it is, and the next one clears the
                # same page again.
                page = (count - self._capacity) * _PAGE
                self._raise(_FORGOTTEN, self._header[_LATEST + (~generation & 1)])
                older[page : page + _PAGE] = _CLEAR_PAGE
            # In generation 0 there is no older one, and reading shared memory would allocate it
            # [linux shmem_fault].
            elif generation and older[_find(older, tag)]:
                return False
            if 0 < timestamp <= self._header[_FORGOTTEN]:
                return False
            # What this word holds of the generation before the last is among the forgotten, so
            # whatever passes is later. Before the tag: a salt that is remembered must be covered.
            self._raise(_LATEST + (generation & 1), timestamp)
            # Then the tag: dying before the state is stored leaves a salt remembered that is not
            # counted, so this generation lasts one salt longer. The other order would count a salt
            # that is not remembered, and forget an old one too early. Each store is one aligned
            # word, so there is no half of it.
            # [test tests/shadowsocks/test_replay.py::test_death_between_any_two_stores]
            current[slot] = tag
            self._header[_STATE] = generation * _GENERATION + count + 1
        return True

    def __contains__(self, salt: bytes) -> bool:
        """Whether ``add`` would refuse ``salt``, whatever its timestamp; changes nothing."""
        tag = self._tag(salt)
        with self._lock:
            generation, count = self._position()
            current, older = self._tables[generation & 1], self._tables[~generation & 1]
            if current[_find(current, tag)]:
                return True
            return generation > 0 and count < self._capacity and older[_find(older, tag)] != 0

    @property
    def added(self) -> int:
        """How many salts were remembered since the buffer was empty."""
        generation, count = divmod(self._header[_STATE], _GENERATION)
        return generation * self._limit + count

    def _raise(self, word: int, timestamp: int) -> None:
        if timestamp > self._header[word]:
            self._header[word] = timestamp

    def _position(self) -> tuple[int, int]:
        """The current generation and how many salts it holds."""
        generation, count = divmod(self._header[_STATE], _GENERATION)
        # Every page of the older table is clear. The next generation starts with its first salt:
        # its state replaces this one in the same store that counts the salt.
        if count == self._limit:
            return generation + 1, 0
        return generation, count

    def _tag(self, salt: bytes) -> int:
        """A keyed hash of ``salt``, never 0; without the key nobody can aim at one slot."""
        # A copy of a keyed state costs half of keying a new one. [bench replay_store]
        keyed = self._hash.copy()
        keyed.update(salt)
        return int.from_bytes(keyed.digest(), "little") or 1

    def _identify(self) -> None:
        """Mark a fresh buffer as ours, or refuse one that was made with another key or capacity."""
        identity = self._tag(b"replay store, layout 1, capacity %d" % self._capacity)
        found = self._header[_IDENTITY]
        if not found:
            self._header[_IDENTITY] = identity
        elif found != identity:
            raise LocalProtocolError("this replay store has another hash key or capacity")
        generation, count = divmod(self._header[_STATE], _GENERATION)
        # Nobody lives to see a generation that half a word cannot count.
        if count > self._limit or generation >= _GENERATION // 2:
            raise LocalProtocolError("this replay store counts more salts than it can hold")


def _pages(capacity: int) -> int:
    """Pages of one table: one and a half slots a salt, so that two thirds are filled at most."""
    return -(-capacity * 3 // (2 * _PAGE))


def _find(table: memoryview, tag: int) -> int:
    """The index of ``tag``, or of the free slot that it belongs in."""
    home = tag % len(table)
    # An index below zero counts from the end, so this range runs once around the table.
    for slot in range(home - len(table), home):
        word = table[slot]
        if not word or word == tag:
            return slot
    # A third of the table stays free. Something else wrote to this buffer, and to refuse every
    # stream is better than to run around it with the lock held.
    raise LocalProtocolError("the replay store is full: its buffer was overwritten")
