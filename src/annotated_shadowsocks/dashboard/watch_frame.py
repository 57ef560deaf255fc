"""A picture of all listeners in lines of text, for any size of terminal and any alphabet.

::

    backlog watch  net:[4026531840]  14 listeners  by fullness            12:00:05
    overflows 3/s, 120 since the start     drops 4/s, 133     cookies 0/s, 0
    ACCEPTQ     HIGH  SYNQ  DROPS/s  LAST 30 s                       ADDRESS   PROCESS
    129/128 !    129    12     14.2  ▁▁▂▃▅▆█████████████████████  *:8080    app(812)

The height of a curve is the queue's limit, so that full is full in every row. A listener that is
full has a ``!``, and one that is gone a ``-``: nothing is told by emphasis alone.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from ..policy.listen_queue import Sysctls
from ..policy.queue_advice import Advice, advise
from .history import History, Track
from .watch_view import HELP, SORTS, Page, WatchView

__all__ = ["Emphasis", "Line", "Setting", "curve", "frame"]

_BLOCKS, _ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
_ADDRESS, _LEAST_CURVE = 21, 8
_FOOT = "?:keys  /:filter  s:sort  Enter:closer  space:hold  e:export  q:end"


class Emphasis(Enum):
    """How a line stands out."""

    PLAIN = "plain"
    BOLD = "bold"
    CHOSEN = "chosen"


class Line(NamedTuple):
    """One line of the picture."""

    text: str
    emphasis: Emphasis = Emphasis.PLAIN


class Setting(NamedTuple):
    """Where the picture is shown, and when."""

    width: int
    height: int
    unicode: bool
    clock: str
    namespace: str
    sysctls: Sysctls


def frame(history: History, view: WatchView, setting: Setting) -> list[Line]:
    """The whole picture: exactly as many lines as there are, none longer than the width."""
    tracks = view.listed(history)
    head = [*_head(history, view, setting, len(tracks))]
    room = setting.height - len(head) - 1
    if view.page is Page.HELP:
        body = [Line(f"  {keys:<12} {what}") for keys, what in HELP]
    elif view.page is Page.DETAIL and tracks:
        body = [*_detail(tracks[view.at(tracks)], history, setting, room)]
    else:
        body = [*_rows(tracks, view, history, setting, room)]
    body = body[:room] + [Line("")] * (room - len(body))
    lines = [*head, *body, Line(_foot(history, view))]
    return [Line(_cut(line.text, setting.width, setting), line.emphasis) for line in lines]


def _cut(text: str, width: int, setting: Setting) -> str:
    if len(text) <= width:
        return text
    return text[: width - 1] + ("…" if setting.unicode else ">")


def _head(history: History, view: WatchView, setting: Setting, count: int) -> Iterator[Line]:
    words = f"  only {view.words}" if view.words else ""
    held = "  HELD STILL" if view.paused else ""
    turned = ", turned" if view.reverse else ""
    left = (
        f"backlog watch  {setting.namespace}  {count} listener{'s' * (count != 1)}"
        f"  by {SORTS[view.sort][0]}{turned}{words}{held}"
    )
    room = max(1, setting.width - len(setting.clock) - 1)
    yield Line(f"{_cut(left, room, setting):<{room}} {setting.clock}", Emphasis.BOLD)
    sums = (
        ("overflows", "ListenOverflows"),
        ("drops", "ListenDrops"),
        ("cookies", "SyncookiesSent"),
        ("SYN retries", "TCPSynRetrans"),
    )
    yield Line(
        "   ".join(
            f"{word} {history.grown.get(name, 0)} (+{history.lately.get(name, 0)})"
            for word, name in sums
        )
    )


def _rows(
    tracks: Sequence[Track], view: WatchView, history: History, setting: Setting, room: int
) -> Iterator[Line]:
    wide = max(_LEAST_CURVE, setting.width - 72)
    last = f"LAST {wide * history.bin_seconds:g} s"
    head = f"{'ACCEPTQ':>11}   {'HIGH':>5} {'SYNQ':>5} {'DROPS/s':>8}  {last:<{wide}}"
    yield Line(f"{head}  {'ADDRESS':<{_ADDRESS}} PROCESS", Emphasis.BOLD)
    if not tracks:
        yield Line("no listener is meant" if view.words else "no listener here")
    place = view.at(tracks)
    # The chosen row stays in sight.
    first = max(0, min(place - room // 2, len(tracks) - room + 1))
    for number, track in enumerate(tracks[first : first + room - 1], first):
        chosen = number == place and view.chosen
        yield Line(_row(track, wide, setting), Emphasis.CHOSEN if chosen else Emphasis.PLAIN)


def _row(track: Track, wide: int, setting: Setting) -> str:
    sight = track.sight
    one = sight.listener
    mark = "-" if track.gone else "!" if one.queue.is_full else " "
    rate = "?" if one.drops is None else f"{track.rate:.1f}"
    shape = curve([*track.curve][-wide:], one.limit + 1, setting.unicode)
    return (
        f"{one.depth:>5}/{one.limit:<5} {mark} {track.high:>5} {sight.half_open:>5} {rate:>8}"
        f"  {shape:>{wide}}  {one.address:<{_ADDRESS}} {sight.processes}"
    )


def curve(depths: Sequence[int], most: int, unicode: bool = True) -> str:
    """A row of characters, one for each depth; ``most`` is a whole one, anything above 0 shows."""
    steps = _BLOCKS if unicode else _ASCII
    top = len(steps) - 1
    return "".join(
        steps[min(top, max(1, depth * top // max(most, 1))) if depth else 0] for depth in depths
    )


def _detail(track: Track, history: History, setting: Setting, room: int) -> Iterator[Line]:
    sight = track.sight
    one = sight.listener
    yield Line(f"{one.address}  {sight.processes}", Emphasis.BOLD)
    state = "gone" if track.gone else "full" if one.queue.is_full else "has room"
    yield Line(
        f"accept queue {one.depth} of {one.limit}, holds {one.queue.capacity}: {state};"
        f" deepest seen {track.high}; SYN queue {sight.half_open}"
    )
    drops = "unknown here" if one.drops is None else f"{track.drops} since the start"
    yield Line(f"drops {drops}, {track.rate:.1f} a second of late")
    yield Line("")
    advice = [line for each in advise(sight.seen, setting.sysctls) for line in _advice(each)]
    tall = max(3, min(10, room - len(advice) - 7))
    yield from map(Line, _graph([*track.curve], one.limit + 1, setting, tall))
    span = (setting.width - 8) * history.bin_seconds
    yield Line(f"{'':>7}{f'{span:g} s ago':<{setting.width - 11}}now")
    yield Line("")
    yield from map(Line, advice or ["nothing to change"])


def _advice(each: Advice) -> Iterator[str]:
    reason, commands = each
    yield f"- {reason}"
    yield from (f"    {command}" for command in commands)


def _graph(depths: Sequence[int], most: int, setting: Setting, tall: int) -> Iterator[str]:
    """A curve over several lines, its scale at the left."""
    steps = _BLOCKS if setting.unicode else _ASCII
    parts = len(steps) - 1
    wide = setting.width - 8
    heights = [
        min(tall * parts, max(1, depth * tall * parts // max(most, 1)) if depth else 0)
        for depth in depths[-wide:]
    ]
    for level in reversed(range(tall)):
        scale = {tall - 1: f"{most}", 0: "0"}.get(level, "")
        bar = "".join(steps[min(max(height - level * parts, 0), parts)] for height in heights)
        yield f"{scale:>6} {bar:>{wide}}"


def _foot(history: History, view: WatchView) -> str:
    if view.typed is not None:
        return f"/{view.typed}"
    return view.message or history.problem or _FOOT
