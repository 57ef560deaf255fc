"""The law that every decoder of a stream obeys, as one check.

TCP keeps the octets and their order and nothing else: where one ``send`` ended is lost on the way.
So a decoder may look at the octets, and must not look at how they were cut::

    whole               one read brings it all
    split in two        at every octet
    octet by octet      the slowest peer, and the oldest bug
    random cuts         seeded; reads of no octets among them
    trailing octets     come back unread, none swallowed
    EOF at every octet  is Truncated, and by then nothing was reported or said
                        that the whole stream would not have brought about

``check`` is the law. It knows no decoder: it is given a ``Run``, which feeds pieces to a fresh one
and tells what came out. ``run_core`` makes a ``Run`` of a ``StreamCore``, ``run_decoder`` makes one
of a framing decoder, and another interface joins with one more such function. A test reads::

    check(run_core(ServerHandshake), wire, Outcome(events=(ConnectRequested(dst),), octets=answer))

A check makes about three runs per octet of ``wire``: a few hundred octets show all there is.
"""

import random
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from ..errors import RemoteProtocolError, Truncated
from ..wire.core import StreamCore, Waiting

__all__ = ["TRAILER", "Decoder", "Outcome", "Run", "check", "run_core", "run_decoder"]

#: What follows the message: the start of a TLS ClientHello, and shorter than any frame.
TRAILER = b"\x16\x03\x01"

_RANDOM_CUTS = 32
_SCRATCH = 0x20000

CoreT = TypeVar("CoreT", bound=StreamCore[object])


class Decoder(Protocol):
    """A framing decoder that works between buffers of its caller."""

    @property
    def error(self) -> RemoteProtocolError | None:
        """What ended the stream, after the octets that ``convert`` still gave."""
        ...

    @property
    def between_chunks(self) -> bool:
        """False where the stream, ending now, would end inside a chunk."""
        ...

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Returns (octets taken from ``src``, octets written to ``dst``)."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decoder made of a stream."""

    #: The events it reported, in order.
    events: tuple[object, ...] = ()
    #: The octets that came out: what a core said to its peer, the plain text of a framing decoder.
    octets: bytes = b""
    #: The octets it left to whoever comes next; none after an error, when nobody comes.
    unread: bytes = b""
    #: The class of the error that ended it.
    error: type[RemoteProtocolError] | None = None


#: Feeds pieces to a fresh decoder, and EOF after them where the flag says so.
Run = Callable[[Iterable[bytes], bool], Outcome]


def check(
    run: Run, wire: bytes, expected: Outcome, *, boundaries: Collection[int] = (), seed: int = 0
) -> None:
    """Check that ``wire`` gives ``expected``, however it is cut.

    ``wire`` ends where its last message ends, or with the octet that the expected error is found
    at. ``boundaries`` are the offsets before that where the stream may end and be whole.
    Raises ``AssertionError`` that names the cut.
    """
    for pieces in _cuts(wire, seed):
        _check_equal(run(pieces, False), expected, f"cut into {_sizes(pieces)}")
    _check_equal(run([wire], True), expected, "whole, then EOF")

    left = b"" if expected.error else expected.unread + TRAILER
    for pieces in _cuts(wire + TRAILER, seed):
        _check_equal(
            run(pieces, False),
            replace(expected, unread=left),
            f"with trailing octets, cut into {_sizes(pieces)}",
        )

    for end in range(len(wire)):
        early = run([wire[:end]], True)
        error = None if end in boundaries else Truncated
        # What came out so far, and nothing else: the rest of ``expected`` is not due yet.
        events, octets = expected.events[: len(early.events)], expected.octets[: len(early.octets)]
        _check_equal(early, Outcome(events, octets, b"", error), f"EOF after {end} octets")


def run_core(
    factory: Callable[[], CoreT], react: Callable[[CoreT, object], None] | None = None
) -> Run:
    """A ``Run`` of the cores that ``factory`` makes; ``react`` answers an event where one must."""

    def run(pieces: Iterable[bytes], eof: bool) -> Outcome:
        core = factory()
        events: list[object] = []
        octets = bytearray()
        error = _pump(core, react, events, octets)
        for piece in pieces:
            # The caller's buffer is used again for the next read, so a core that kept it is caught.
            buffer = bytearray(piece)
            core.receive_data(memoryview(buffer))
            buffer[:] = bytes(len(buffer))
            error = _pump(core, react, events, octets)
        if eof:
            core.receive_eof()
            error = _pump(core, react, events, octets)
        if error is not None:
            return Outcome(tuple(events), bytes(octets), b"", type(error))
        return Outcome(tuple(events), bytes(octets), core.unread())

    return run


def _pump(
    core: CoreT,
    react: Callable[[CoreT, object], None] | None,
    events: list[object],
    octets: bytearray,
) -> RemoteProtocolError | None:
    """What a driver does between two reads."""
    while True:
        try:
            event = core.next_event()
        except RemoteProtocolError as error:
            octets += core.data_to_send()
            return error
        octets += core.data_to_send()
        if isinstance(event, Waiting):
            return None
        events.append(event)
        if react is not None:
            react(core, event)


def run_decoder(factory: Callable[[], Decoder]) -> Run:
    """A ``Run`` of the framing decoders that ``factory`` makes."""

    def run(pieces: Iterable[bytes], eof: bool) -> Outcome:
        decoder = factory()
        octets, unread = bytearray(), b""
        scratch = memoryview(bytearray(_SCRATCH))
        for piece in pieces:
            unread += piece
            while True:
                taken, written = decoder.convert(memoryview(unread), scratch)
                octets += scratch[:written]
                unread = unread[taken:]
                if not taken:
                    break
        if decoder.error is not None:
            return Outcome((), bytes(octets), b"", type(decoder.error))
        if eof and (unread or not decoder.between_chunks):
            return Outcome((), bytes(octets), b"", Truncated)
        return Outcome((), bytes(octets), unread)

    return run


def _cuts(wire: bytes, seed: int) -> Iterator[list[bytes]]:
    """All the ways of ``check`` to cut ``wire``."""
    yield [wire]
    yield [wire[at : at + 1] for at in range(len(wire))]
    for at in range(1, len(wire)):
        yield [wire[:at], wire[at:]]
    rng = random.Random(seed)
    for _ in range(_RANDOM_CUTS):
        # Two cuts at one place make a read of no octets.
        places = sorted(rng.choices(range(len(wire) + 1), k=rng.randint(2, 8)))
        starts, ends = [0, *places], [*places, len(wire)]
        yield [wire[start:end] for start, end in zip(starts, ends, strict=True)]


def _sizes(pieces: list[bytes]) -> list[int]:
    return [len(piece) for piece in pieces]


def _check_equal(got: Outcome, expected: Outcome, how: str) -> None:
    if got != expected:
        raise AssertionError(f"{how}:\n  expected {expected}\n  got      {got}")
