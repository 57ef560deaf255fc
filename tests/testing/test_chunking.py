"""The chunking law, held up against decoders that break it in the ways that real ones do."""

from collections.abc import Callable, Generator

import pytest

from annotated_shadowsocks.errors import RemoteProtocolError, Truncated
from annotated_shadowsocks.testing.chunking import Outcome, check, run_core, run_decoder
from annotated_shadowsocks.wire.core import Event, HandshakeCore, StreamCore


class Lawful(HandshakeCore[bytes]):
    """A length and a word; a length of 255 is refused."""

    def _run(self) -> Generator[bytes | None, None, None]:
        [size] = yield from self._reader.read_exact(1)
        if size == 255:
            self._send(b"no")
            raise RemoteProtocolError("too long")
        word = yield from self._reader.read_exact(size)
        self._send(b"ok")
        yield word


class OneReadIsOneMessage(Lawful):
    """Takes what the first read brought for all there is."""

    def _run(self) -> Generator[bytes | None, None, None]:
        while not len(self._reader):
            yield None
        self._send(b"ok")
        yield self._reader.unread()[1:]


class SwallowsTheRest(Lawful):
    """Forgets that the tunnel may begin in the same read."""

    def unread(self) -> bytes:
        super().unread()
        return b""


class WaitsForTheGone(Lawful):
    """Does not notice that the peer has left."""

    def receive_eof(self) -> None:
        pass


class ComplainsToTheGone(Lawful):
    """Answers a message that never was."""

    def _run(self) -> Generator[bytes | None, None, None]:
        try:
            yield from super()._run()
        except Truncated:
            self._send(b"bye")
            raise


class ForgetsItsError(Lawful):
    """Starts over after an error, so that a peer may try again."""

    def next_event(self) -> Event[bytes]:
        try:
            return super().next_event()
        except RemoteProtocolError:
            self._error = None
            self._parser = self._run()
            raise


class KeepsTheBuffer(Lawful):
    """Holds views of a buffer that its caller is about to use again."""

    def __init__(self) -> None:
        super().__init__()
        self.views: list[bytes | bytearray | memoryview] = []

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        self.views.append(data)
        if sum(map(len, self.views)) >= len(WORD):
            for view in self.views:
                super().receive_data(view)
            self.views.clear()


class CountsReads(Lawful):
    """Takes a slow peer for a wicked one."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        self.reads += 1
        if self.reads <= 12:
            super().receive_data(data)


class FallsIntoOneHole(Lawful):
    """Is wrong by one where a read fills its buffer to the brim."""

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        super().receive_data(data[:-1] if len(data) == 17 else data)


class MournsEveryEnd(Lawful):
    """Takes the end of the stream for an error, also behind the last word."""

    def receive_eof(self) -> None:
        self._error = Truncated("gone")


LONG_WORD, LONG_SPOKEN = b"\x14" + b"a" * 20, Outcome((b"a" * 20,), b"ok")
WORD, SPOKEN = b"\x05hello", Outcome((b"hello",), b"ok")
REFUSED = Outcome((), b"no", b"", RemoteProtocolError)


def test_a_lawful_core_passes() -> None:
    check(run_core(Lawful), WORD, SPOKEN)
    check(run_core(Lawful), b"\xff", REFUSED)


@pytest.mark.parametrize(
    ("core", "wire", "expected", "how"),
    [
        (OneReadIsOneMessage, WORD, SPOKEN, "^cut into"),
        (KeepsTheBuffer, WORD, SPOKEN, "^cut into"),
        (CountsReads, LONG_WORD, LONG_SPOKEN, r"^cut into \[1, 1, 1"),
        (FallsIntoOneHole, LONG_WORD, LONG_SPOKEN, r"^cut into \[4, 17\]"),
        (MournsEveryEnd, WORD, SPOKEN, "^whole, then EOF"),
        (SwallowsTheRest, WORD, SPOKEN, "^with trailing octets"),
        (ForgetsItsError, b"\xff", REFUSED, "^cut into"),
        (WaitsForTheGone, WORD, SPOKEN, "^EOF after 0 octets"),
        (ComplainsToTheGone, WORD, SPOKEN, "^EOF after 0 octets"),
    ],
)
def test_a_broken_core_is_caught(
    core: Callable[[], StreamCore[bytes]], wire: bytes, expected: Outcome, how: str
) -> None:
    with pytest.raises(AssertionError, match=how):
        check(run_core(core), wire, expected)


@pytest.mark.parametrize(
    "wrong",
    [
        Outcome((b"HELLO",), b"ok"),
        Outcome((b"hello", b"hello"), b"ok"),
        Outcome((b"hello",), b"no"),
        Outcome((b"hello",), b"ok", b"x"),
        Outcome((b"hello",), b"ok", b"", RemoteProtocolError),
    ],
)
def test_a_wrong_expectation_is_caught(wrong: Outcome) -> None:
    with pytest.raises(AssertionError, match=r"^cut into \[6\]"):
        check(run_core(Lawful), WORD, wrong)


def test_other_exceptions_are_not_the_laws_to_judge() -> None:
    class Crashes(Lawful):
        def _run(self) -> Generator[bytes | None, None, None]:
            [size] = yield from self._reader.read_exact(1)
            raise IndexError(size)

    with pytest.raises(IndexError):
        check(run_core(Crashes), WORD, SPOKEN)


def test_an_event_can_be_answered() -> None:
    class Answered(Lawful):
        def answer(self, word: object) -> None:
            self._send(b", %s" % word)

    check(run_core(Answered, Answered.answer), WORD, Outcome((b"hello",), b"ok, hello"))


class Frames:
    """Frames of a length and that many octets; 255 is refused. Takes one frame per call."""

    error: RemoteProtocolError | None = None
    between_chunks = True

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        if self.error is not None or not len(src):
            return 0, 0
        if src[0] == 255:
            self.error = RemoteProtocolError("too long")
            return 0, 0
        end = 1 + src[0]
        if len(src) < end:
            return 0, 0
        dst[: end - 1] = src[1:end]
        return end, end - 1


class LosesHalfFrames(Frames):
    """Takes the octets of a frame whose rest has not come."""

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        taken, written = super().convert(src, dst)
        return taken or len(src), written


def test_a_framing_decoder() -> None:
    wire = b"\x05hello\x00\x06 world"
    check(run_decoder(Frames), wire, Outcome((), b"hello world"), boundaries=(0, 6, 7))
    check(
        run_decoder(Frames),
        b"\x02ab\xff",
        Outcome((), b"ab", b"", RemoteProtocolError),
        boundaries=(0, 3),
    )


def test_a_broken_framing_decoder_is_caught() -> None:
    with pytest.raises(AssertionError, match=r"^cut into"):
        check(run_decoder(LosesHalfFrames), WORD, Outcome((), b"hello"), boundaries=(0,))


def test_a_boundary_that_is_none_is_caught() -> None:
    with pytest.raises(AssertionError, match=r"^EOF after 3 octets"):
        check(run_decoder(Frames), WORD, Outcome((), b"hello"), boundaries=(0, 3))
    with pytest.raises(AssertionError, match=r"^EOF after 0 octets"):
        check(run_decoder(Frames), WORD, Outcome((), b"hello"))
