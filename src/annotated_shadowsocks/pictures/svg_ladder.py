"""A ladder diagram in SVG: a lifeline for each client, the server's, and its queues beside it.

Time runs down, not to scale: a row for each thing that happened. The queues are drawn along the
server's lifeline, as wide as they are deep, with a dashed line at their limit; what stands beyond
the line is the one entry more that Linux admits.
"""

import textwrap
from collections.abc import Collection, Iterator
from itertools import pairwise
from math import hypot

from ..tcp_model.instant import MILLISECOND, SECOND, Instant
from ..tcp_model.segment import Segment
from .passage import Passage
from .story import Kind, Row, Story, short_state, tell
from .svg import Sheet
from .trace import SYN_QUEUE, Trace

__all__ = ["draw"]

_MARGIN = 28
_TIME = 74
_LANE = 118
_ROW, _LINE = 40, 17
#: How far an arrow falls on its way, if its row is all the time that it has.
_FALL = 7
_PAUSE = SECOND // 2
_WORDS = 47
_TEXT = 322
_CELLS, _RIBBON = 15, 96
_TOP = 118


def draw(trace: Trace, only: Collection[str] = (), counters: bool = True) -> str:
    """The drawing of a trace, of ``only`` these clients where any are named."""
    return _Drawing(tell(trace, only), counters).render()


class _Drawing:
    def __init__(self, story: Story, counters: bool) -> None:
        self._story = story
        self._rows = story.rows
        self._texts = [_texts(row, counters) for row in story.rows]
        x = float(_MARGIN + _TIME + 72)
        self._lanes: dict[str, float] = {}
        for client in story.clients:
            self._lanes[client] = x
            x += _LANE
        x += max(0, 2 - len(story.clients)) * _LANE
        self._server = x + 60
        self._ribbons: list[tuple[float, float]] = []
        x = self._server + 34
        for gauge in story.gauges:
            cell = min(_CELLS, _RIBBON / max(1, gauge.most))
            self._ribbons.append((x, cell))
            x += max(64, gauge.most * cell + 34)
        self._words = x + 6
        self._ys = self._places()
        #: Where the row is in which a packet departed that ends in another one.
        self._departures = {
            row.passage.packet: y
            for row, y in zip(self._rows, self._ys, strict=True)
            if row.passage is not None and row.kind is Kind.DEPARTURE
        }
        lines = len(self._texts[-1]) if self._texts else 0
        self._bottom = (self._ys[-1] if self._ys else _TOP) + max(30, lines * _LINE)
        self._sheet = Sheet(self._words + _TEXT + _MARGIN, story.title, f"From {story.source}.")

    def render(self) -> str:
        """All of it."""
        sheet = self._sheet
        self._titles()
        self._lifelines()
        for number in range(len(self._story.gauges)):
            self._ribbon(number)
        before = None
        for row, y, texts in zip(self._rows, self._ys, self._texts, strict=True):
            if row.at != before:
                time = _clock(before := row.at)
                sheet.text(_MARGIN + _TIME - 12, y + 4, time, "small code quiet", "end")
            self._row(row, y, texts)
        for client, x in self._lanes.items():
            self._state_names(client, x)
        self._legend()
        return self._sheet.render(self._bottom + 50)

    def _legend(self) -> None:
        """What the lines along the queues are."""
        if not self._ribbons:
            return
        sheet, y = self._sheet, self._bottom + 26
        x = self._ribbons[0][0]
        sheet.line(x, y - 10, x, y + 2, "limit")
        sheet.text(x + 8, y, "limit", "small quiet")
        sheet.rect(x + 50, y - 9, 11, 10, "over")
        sheet.text(x + 67, y, "beyond the limit", "small quiet")

    def _places(self) -> list[float]:
        """The height of each row: by how much is said about those above it, and by the time."""
        ys: list[float] = []
        y, before, lines = float(_TOP), None, 0
        for row, texts in zip(self._rows, self._texts, strict=True):
            if before is not None:
                y += max(_ROW if row.passage else _ROW - 8, lines * _LINE + 12)
                y += 16 if row.at - before > _PAUSE else 0
            ys.append(y)
            before, lines = row.at, len(texts)
        return ys

    def _titles(self) -> None:
        sheet, story = self._sheet, self._story
        sheet.text(_MARGIN, 38, story.title, "title")
        sheet.text(sheet.width - _MARGIN, 38, story.source, "quiet code", "end")
        sheet.text(_MARGIN + _TIME - 12, 84, "time, s", "small quiet", "end")
        for name, x in self._lanes.items():
            sheet.text(x, 84, name, "head", "middle")
        if story.server:
            sheet.text(self._server, 84, story.server, "head", "middle")
        several = len({gauge.listener for gauge in story.gauges}) > 1
        for gauge, (x, _) in zip(story.gauges, self._ribbons, strict=True):
            name = "SYN queue" if gauge.queue == SYN_QUEUE else "accept queue"
            words = [*name.rsplit(" ", 1), *([f"of {gauge.listener}"] if several else [])]
            for number, word in enumerate(reversed(words)):
                sheet.text(x, 84 - number * 15, word, "small quiet")

    def _lifelines(self) -> None:
        top = 94
        for x in (*self._lanes.values(), self._server):
            self._sheet.line(x, top, x, self._bottom, "life")
        for client, x in self._lanes.items():
            self._states(client, x)

    def _states(self, client: str, x: float) -> None:
        """A client's lifeline, drawn as its state."""
        state, since = "", 0.0
        for at, new in self._changes(client):
            self._stretch(x, since, at, state)
            state, since = new, at
        self._stretch(x, since, self._bottom, state)

    def _state_names(self, client: str, x: float) -> None:
        for at, state in self._changes(client):
            self._sheet.text(x - 9, at + 4, short_state(state), "small code quiet halo", "end")

    def _changes(self, client: str) -> Iterator[tuple[float, str]]:
        """Where a client's state changes, and to what."""
        state = ""
        for row, y in zip(self._rows, self._ys, strict=True):
            if row.client == client and row.states[0] not in ("", state):
                state = row.states[0]
                yield self._client_end(row, y), state

    def _stretch(self, x: float, since: float, until: float, state: str) -> None:
        classes = {"SYN_SENT": "waiting", "": "", "CLOSED": "", "LISTEN": ""}.get(state, "open")
        if classes:
            self._sheet.line(x, since, x, until, classes)

    def _ribbon(self, number: int) -> None:
        sheet, (x, cell) = self._sheet, self._ribbons[number]
        start = _TOP - 14.0
        sheet.line(x, start, x, self._bottom, "rule")
        stretches: list[tuple[float, int, int | None]] = []
        for row, place in zip(self._rows, self._ys, strict=True):
            measured = row.depths[number]
            if measured is not None and (not stretches or measured != stretches[-1][1:]):
                stretches.append((self._server_end(row, place) if stretches else start, *measured))
        stretches.append((self._bottom, 0, None))
        for (top, depth, limit), (end, _, _) in pairwise(stretches):
            within = depth if limit is None else min(depth, limit)
            sheet.rect(x, top, within * cell, end - top, "fill")
            sheet.rect(x + within * cell, top, (depth - within) * cell, end - top, "over")
            if limit is not None:
                sheet.line(x + limit * cell, top, x + limit * cell, end, "limit")
            if end - top > _LINE - 4:
                edge = x + max(depth, limit or 0) * cell
                sheet.text(edge + 7, top + 12, str(depth), "small code")

    def _row(self, row: Row, y: float, texts: list[tuple[str, str]]) -> None:
        sheet = self._sheet
        if row.passage is not None:
            self._packet(row, row.passage, y)
        else:
            x = self._lanes.get(row.host, self._server)
            sheet.circle(x, y, 3.5, "dot")
        for number, (text, classes) in enumerate(texts):
            sheet.text(self._words, y + 4 + number * _LINE, text, classes)

    def _packet(self, row: Row, passage: Passage, y: float) -> None:
        lane = self._lanes[row.client]
        outward = passage.sender == self._story.server
        start, end = (self._server, lane) if outward else (lane, self._server)
        classes = "again" if passage.again else ""
        if passage.name == "RST" or row.refused or row.kind is Kind.LOSS:
            classes = "bad"
        match row.kind:
            case Kind.PACKET:
                self._arrow(start, y, end, y + _FALL, f"arrow {classes}")
            case Kind.ARRIVAL:
                since = self._departures.get(passage.packet, y)
                refused = "bad" if row.refused else "again" if passage.again else ""
                held = "held " if passage.held else ""
                self._arrow(start, since, end, y, f"arrow {held}{refused}")
            case Kind.LOSS:
                since = self._departures.get(passage.packet, y)
                stop = start + (end - start) * 0.6
                self._sheet.line(start, since, stop, max(y, since + 5), f"arrow {classes}")
                self._sheet.cross(stop, max(y, since + 5))
            case _ if passage.arrived_at is None and passage.lost_at is None:
                held = "held " if passage.held else ""
                stop = start + (end - start) * 0.6
                self._sheet.line(start, y, stop, y + 5, f"arrow {held}{classes}")
        if row.refused:
            self._sheet.cross(end + (13 if end > start else -13), self._far_end(row, y))
        if row.kind is not Kind.ARRIVAL and self._departures.get(passage.packet, y) == y:
            self._label(start, end, y, passage, classes)

    def _label(self, start: float, end: float, y: float, passage: Passage, classes: str) -> None:
        name = passage.name + (" again" if passage.again else "")
        is_segment = isinstance(passage.segment, Segment)
        numbers = passage.text.partition(" ")[2] if is_segment else ""
        x, anchor = (start + 12, "start") if end > start else (start - 12, "end")
        parts = [(name, f"label {classes}"), (numbers, "code quiet")]
        self._sheet.words(x, y - 6, parts, anchor)

    def _arrow(self, x1: float, y1: float, x2: float, y2: float, classes: str) -> None:
        """A line that ends in a tip just before the lifeline."""
        length = hypot(x2 - x1, y2 - y1)
        dx, dy = (x2 - x1) / length, (y2 - y1) / length
        x2, y2 = x2 - dx * 3, y2 - dy * 3
        back, side = 9.0, 4.0
        bx, by = x2 - dx * back, y2 - dy * back
        self._sheet.line(x1, y1, bx, by, classes)
        corners = f"L{bx - dy * side:.4g} {by + dx * side:.4g}L{bx + dy * side:.4g} "
        tip = classes.replace("arrow", "tip").replace("held ", "")
        self._sheet.path(f"M{x2:.4g} {y2:.4g}{corners}{by - dx * side:.4g}z", tip)

    def _far_end(self, row: Row, y: float) -> float:
        return y + _FALL if row.kind is Kind.PACKET else y

    def _client_end(self, row: Row, y: float) -> float:
        inward = row.passage is None or row.passage.sender != self._story.server
        return y if inward else self._far_end(row, y)

    def _server_end(self, row: Row, y: float) -> float:
        outward = row.passage is None or row.passage.sender == self._story.server
        return y if outward else self._far_end(row, y)


def _texts(row: Row, counters: bool) -> list[tuple[str, str]]:
    """Lines and their classes."""
    lines: list[tuple[str, str]] = []
    for text in row.texts:
        bad = "bad" if row.refused and text == row.outcome else ""
        lines += [(line, bad) for line in textwrap.wrap(text, _WORDS)]
    if counters and row.counters:
        text = "  ".join(f"{name}\u00a0+{by}" for name, by in row.counters.items())
        wrapped = textwrap.wrap(text, _WORDS - 4, break_long_words=False)
        lines += [(line, "small code quiet") for line in wrapped]
    return lines


def _clock(at: Instant) -> str:
    return f"{at / SECOND:.6f}" if at % MILLISECOND else f"{at / SECOND:.3f}"
