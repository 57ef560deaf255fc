"""A ladder diagram in text: clients on the left, the server and its queues on the right.

::

        time  client                                      server     SYN queue  accept queue
       0.100  C SYN-SENT   ── S seq 0 ──────────────────▶ SYN-RECV   1/1 ██     1/1 █░
       0.120  C ESTAB      ╌╌ . ack 1 ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▶ SYN-RECV   1/1 ██     2/1 ██
                           ✗ ignored: the accept queue is full

Segments are written as tcpdump writes them, with relative numbers, and states as ``ss`` does. A
dashed line was held, and a cross ends what was lost or turned away. The reasons stand on the right
where there is room, and below where there is not.
"""

import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..tcp_model.instant import MILLISECOND, SECOND
from .passage import Passage
from .story import Kind, Row, Story, short_state, tell
from .trace import Trace

__all__ = ["Alphabet", "draw"]


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The characters of a drawing."""

    line: str
    dashed: str
    right: str
    left: str
    cross: str
    full: str
    empty: str
    dot: str


UNICODE = Alphabet("─", "╌", "▶", "◀", "✗", "█", "░", "·")
ASCII = Alphabet("-", "~", ">", "<", "x", "#", ".", "*")

_TIME = 9
#: The longest name that is written out.
_NAME = 12
_BAR = 4
#: Columns of text beside an arrow that are worth having.
_BESIDE = 34
_ARROW, _NARROWEST = 30, 12
_QUEUES = {"syn_queue": "SYN", "accept_queue": "accept"}
_BOLD, _DIM, _RED, _YELLOW = "1", "2", "31", "33"


def draw(
    trace: Trace,
    width: int = 80,
    only: Collection[str] = (),
    styled: bool = False,
    ascii_only: bool = False,
    counters: bool = False,
) -> str:
    """The ladder of a trace, its lines no longer than ``width`` (at least 60) columns.

    Long names and many listeners may need more. ``only`` names the clients to show. With
    ``counters`` each row says which went up.
    """
    story = tell(trace, only)
    ladder = _Ladder(story, max(60, width), styled, ASCII if ascii_only else UNICODE, counters)
    return "".join(f"{line}\n" for line in ladder.lines())


class _GaugeColumn:
    """``2/1 ██``: how full a queue is."""

    def __init__(self, story: Story, number: int, alphabet: Alphabet, bar: int) -> None:
        gauge = story.gauges[number]
        several = len({(one.host, one.listener) for one in story.gauges}) > 1
        self._alphabet = alphabet
        self._most = gauge.most
        self._cells = min(bar, gauge.most)
        self._digits = max(len(self._count(row.depths[number])) for row in story.rows)
        self.head = _QUEUES.get(gauge.queue, gauge.queue)
        self.head += f" {gauge.listener}" if several else ""
        self.width = max(self._digits + 1 + self._cells, len(self.head))

    def draw(self, depth: tuple[int, int | None] | None) -> str:
        """In exactly its columns."""
        if depth is None:
            return " " * self.width
        full = -(-depth[0] * self._cells // self._most) if self._most else 0
        bar = self._alphabet.full * full + self._alphabet.empty * (self._cells - full)
        return f"{self._count(depth):<{self._digits}} {bar}".rstrip().ljust(self.width)

    @staticmethod
    def _count(depth: tuple[int, int | None] | None) -> str:
        if depth is None:
            return ""
        return str(depth[0]) if depth[1] is None else f"{depth[0]}/{depth[1]}"


class _Ladder:
    def __init__(
        self, story: Story, width: int, styled: bool, alphabet: Alphabet, counters: bool
    ) -> None:
        self._story = story
        self._styled = styled
        self._alphabet = alphabet
        self._counters = counters
        states = [short_state(state) for row in story.rows for state in row.states]
        self._state = max(map(len, [*states, "server"]))
        self._name = min(_NAME, max(map(len, [*story.clients, ""])))
        self._client = max(self._name + 1 + self._state, len("client"))
        bare = _TIME + 2 + self._client + 1 + 1 + self._state
        for bar in (_BAR, 0):
            self._gauges = [
                _GaugeColumn(story, number, alphabet, bar) for number in range(len(story.gauges))
            ]
            self._queues = sum(each.width + 2 for each in self._gauges)
            left = width - bare - self._queues
            if left >= _NARROWEST:
                break
        #: Where texts begin that stand below their arrows.
        self._indent = _TIME + 2 + self._client + 1
        self._beside = left - _ARROW - 2 if left - _ARROW - 2 >= _BESIDE else 0
        self._arrow = _ARROW if self._beside else max(_NARROWEST, min(left, _ARROW + 6))
        self._below = width - self._indent

    def lines(self) -> Iterator[str]:
        yield self._head()
        before = None
        for row in self._story.rows:
            time = _clock(row.at)
            yield from self._row(row, "" if time == before else time)
            before = time

    def _head(self) -> str:
        cells = f"{'time':>{_TIME}}  {'client':<{self._client}} {'':{self._arrow}} "
        cells += f"{_printable(self._story.server)[: self._state]:<{self._state}}"
        cells += "".join(f"  {each.head:<{each.width}}" for each in self._gauges)
        return self._style(cells.rstrip(), _BOLD)

    def _row(self, row: Row, time: str) -> Iterator[str]:
        texts = ["; ".join(row.texts)]
        if self._counters and row.counters:
            texts.append(", ".join(f"{name} +{by}" for name, by in row.counters.items()))
        lead = self._style(f"{time:>{_TIME}}", _DIM) + "  "
        depths = zip(self._gauges, row.depths, strict=True)
        queues = "".join(f"  {each.draw(depth)}" for each, depth in depths)
        if row.passage is None:
            yield from self._remark(texts, lead, queues)
            return
        client, server = map(short_state, row.states)
        name = f"{_printable(row.client)[: self._name]:<{self._name}} {client}"
        arrow = self._style(self._draw_arrow(row, row.passage), _colour(row, row.passage))
        line = f"{lead}{name:<{self._client}} {arrow} {server:<{self._state}}{queues}"
        room = self._beside or self._below
        wrapped = [w for text in texts for w in textwrap.wrap(_printable(text), room)]
        if self._beside:
            column = self._indent + self._arrow + 1 + self._state + self._queues
            first, *rest = wrapped or [""]
            yield f"{line}  {self._style(first, _DIM)}".rstrip() if first else line.rstrip()
            yield from (f"{'':{column}}  {self._style(text, _DIM)}" for text in rest)
        else:
            yield line.rstrip()
            yield from (f"{'':{self._indent}}{self._style(text, _DIM)}" for text in wrapped)

    def _remark(self, texts: list[str], lead: str, queues: str) -> Iterator[str]:
        room = self._client + 1 + self._arrow + 1 + self._state
        first, *rest = [w for text in texts for w in textwrap.wrap(_printable(text), room - 2)] or [
            ""
        ]
        yield f"{lead}{self._alphabet.dot} {first:<{room - 2}}{queues}".rstrip()
        yield from (f"{'':{_TIME + 2}}  {text}" for text in rest)

    def _draw_arrow(self, row: Row, passage: Passage) -> str:
        """The arrow in exactly its columns, its label near the sender."""
        alphabet, width = self._alphabet, self._arrow
        outward = passage.sender == self._story.server
        line = alphabet.dashed if passage.held else alphabet.line
        head = alphabet.left if outward else alphabet.right
        end = head + alphabet.cross if row.refused else head
        label = passage.text + (" again" if passage.again else "")
        if row.kind in (Kind.LOSS, Kind.DEPARTURE):
            end = alphabet.cross if row.kind is Kind.LOSS else ""
            width = min(width, max(width * 2 // 3, len(label) + 6))
        label = label[: width - len(end) - 5]
        shaft = f"{line * 2} {label} "
        shaft += line * max(1, width - len(shaft) - len(end))
        if not outward:
            return f"{shaft}{end}".ljust(self._arrow)
        turned = f" {label} {line * 2}"
        return f"{end[::-1]}{line * (len(shaft) - len(turned))}{turned}".rjust(self._arrow)

    def _style(self, text: str, sgr: str) -> str:
        return f"\x1b[{sgr}m{text}\x1b[0m" if self._styled and sgr and text.strip() else text


def _colour(row: Row, passage: Passage) -> str:
    if row.refused or row.kind is Kind.LOSS or passage.name == "RST":
        return _RED
    return _YELLOW if passage.again else ""


def _printable(text: str) -> str:
    # A trace may come out of a file, and a file may hold anything.
    return "".join(c if c.isprintable() else "?" for c in text)


def _clock(at: int) -> str:
    return f"{at / SECOND:.6f}" if at % MILLISECOND else f"{at / SECOND:.3f}"
