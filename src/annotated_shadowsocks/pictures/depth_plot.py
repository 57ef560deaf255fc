"""Queue depths over time in SVG: one panel for each queue, all with the same time axis.

A dashed line is the limit, what stands above it is dark, and each red mark above the panels is a
segment that was turned away.
"""

from collections.abc import Sequence
from itertools import pairwise

from ..tcp_model.instant import SECOND, Instant
from .depth import Series, series_of
from .svg import Sheet
from .trace import Acted, Trace

__all__ = ["draw", "draw_series"]

_WIDTH, _LEFT, _RIGHT = 860, 64, 28
_TOP, _STRIP, _PANEL, _GAP = 84, 44, 130, 46
_REFUSALS = ("DropSyn", "DropAck")
#: Lengths of the time between two marks of the axis, in seconds.
_STEPS = [step * 10**power for power in range(-6, 8) for step in (1, 2, 5)]


def draw(trace: Trace) -> str:
    """The depths of all queues of a trace."""
    refused = [e.at for e in trace.events if isinstance(e, Acted) and e.action in _REFUSALS]
    return draw_series(trace.title, trace.source, series_of(trace), refused)


def draw_series(
    title: str, source: str, series: Sequence[Series], refused: Sequence[Instant] = ()
) -> str:
    """The same of any series, which should end at the same time."""
    sheet = Sheet(_WIDTH, title, f"Depths of queues over time, from {source}.")
    sheet.text(_LEFT - 36, 38, title, "title")
    sheet.text(_WIDTH - _RIGHT, 38, source, "quiet code", "end")
    start = min((one.start for one in series), default=0)
    end = max((one.end for one in series), default=0)
    axis = _Axis(start, max(end, start + 1))
    y = _TOP
    if refused:
        sheet.text(_LEFT, y - 10, "turned away", "small quiet")
        for x in sorted({axis.x(at) for at in refused}):
            sheet.line(x, y, x, y + 8, "cross")
        y += _STRIP
    for one in series:
        _panel(sheet, axis, one, y)
        y += _PANEL + _GAP
    axis.draw(sheet, y - _GAP)
    return sheet.render(y - _GAP + 40)


class _Axis:
    """Time from left to right."""

    def __init__(self, start: Instant, end: Instant) -> None:
        self._start, self._end = start, end

    def x(self, at: Instant) -> float:
        part = (at - self._start) / (self._end - self._start)
        return round(_LEFT + part * (_WIDTH - _LEFT - _RIGHT), 1)

    def draw(self, sheet: Sheet, y: float) -> None:
        span = (self._end - self._start) / SECOND
        step = next((step for step in _STEPS if span / step <= 10), _STEPS[-1])
        digits = max(0, -int(f"{step:e}".partition("e")[2]))
        first = -(-self._start // int(step * SECOND))
        number = first
        while (at := round(number * step * SECOND)) <= self._end:
            sheet.line(self.x(at), y, self.x(at), y + 5, "rule")
            sheet.text(self.x(at), y + 20, f"{at / SECOND:.{digits}f}", "small code", "middle")
            number += 1
        sheet.text(_LEFT - 24, y + 20, "s", "small quiet", "end")


def _panel(sheet: Sheet, axis: _Axis, series: Series, top: float) -> None:
    limit = series.limit
    most = max(series.most, limit or 0, 1)
    bottom = top + _PANEL

    def y(depth: float) -> float:
        return round(bottom - depth / (most * 1.08) * _PANEL, 1)

    sheet.text(_LEFT, top - 10, series.name, "head")
    sheet.line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "rule")
    for depth in {0, most if limit is None else limit, series.most}:
        sheet.text(_LEFT - 10, y(depth) + 4, str(depth), "small code", "end")
    steps = _steps(axis, series)
    for (left, depth), (right, _) in pairwise(steps):
        within = depth if limit is None else min(depth, limit)
        sheet.rect(left, y(within), round(right - left, 1), bottom - y(within), "fill")
        sheet.rect(left, y(depth), round(right - left, 1), y(within) - y(depth), "over")
    line = "".join(f"H{x:g}V{y(depth):g}" for x, depth in steps[:-1])
    if steps[:-1]:
        sheet.path(f"M{steps[0][0]:g} {bottom:g}{line}H{steps[-1][0]:g}", "edge")
    if limit is not None:
        sheet.line(_LEFT, y(limit), _WIDTH - _RIGHT, y(limit), "limit")


def _steps(axis: _Axis, series: Series) -> list[tuple[float, int]]:
    """Where the curve steps, and to what depth.

    Of all steps within a pixel it shows the highest, and then the last: a queue that was full for
    a microsecond was full.
    """
    pixels: list[tuple[float, int, int]] = []
    for at, depth in zip(series.times, series.depths, strict=True):
        x = axis.x(at)
        if pixels and x - pixels[-1][0] < 1:
            pixels[-1] = pixels[-1][0], max(depth, pixels[-1][1]), depth
        else:
            pixels.append((x, depth, depth))
    steps = []
    for x, high, last in pixels:
        steps.append((x, high))
        if last != high:
            steps.append((x + 1, last))
    return [*steps, (axis.x(series.end), 0)]
