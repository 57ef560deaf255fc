"""Expectations about queues, counters and clients: what a script says, against what is shown."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from ..scripts.statements import (
    CounterCheck,
    DropsCheck,
    Outcome,
    OutcomeCheck,
    Queue,
    QueueCheck,
    View,
    ViewCheck,
)
from .calls import Calls
from .stage import Stage
from .verdict import Refused, differ

__all__ = ["Check", "Checks"]

Check: TypeAlias = OutcomeCheck | QueueCheck | CounterCheck | DropsCheck | ViewCheck


class Checks:
    """Makes checks, and remembers what each counter was at the last look."""

    __slots__ = ("_calls", "_connected", "_looked", "_stage")

    def __init__(self, stage: Stage, calls: Calls, connected: set[str]) -> None:
        self._stage = stage
        self._calls = calls
        self._connected = connected
        self._looked: dict[tuple[str, object], int] = {}

    def make(self, check: Check) -> None:
        """Raises ``Differs`` or ``Refused``."""
        match check:
            case OutcomeCheck(names, outcome):
                for name in names:
                    self._outcome(name, outcome)
            case QueueCheck(queue, depth, limit, fd):
                look = partial(self._queue, queue, self._listener(fd), limit is not None)
                self._same((depth, limit), look, partial(_queue_text, queue))
            case CounterCheck(group, name, amount, more, clients):
                counter = partial(self._stage.counter, name, clients)
                self._count(f"{group} {name}", (name, clients), counter, amount, more)
            case DropsCheck(amount, more, fd):
                listener = self._listener(fd)
                drops = partial(self._stage.drops, listener)
                self._count("sk_drops", ("", listener), drops, amount, more)
            case ViewCheck(view, values, fd):
                look_at = partial(self._view, view, self._listener(fd), [one for one, _ in values])
                self._same(values, look_at, partial(_view_text, view))

    def _outcome(self, name: str, outcome: Outcome) -> None:
        if name not in self._connected:
            raise Refused(f"{name} has not connected: client {name} connect")
        self._same(outcome, partial(self._stage.outcome, name), lambda one: f"{name} {one.value}")

    def _queue(self, queue: Queue, fd: int, limited: bool) -> tuple[int, int | None]:
        queues = self._stage.queues(fd)
        if queue is Queue.ACCEPT:
            return queues.accept_depth, queues.accept_limit if limited else None
        return queues.syn_depth, queues.syn_limit if limited else None

    def _view(self, view: View, fd: int, names: list[str]) -> tuple[tuple[str, int | None], ...]:
        shown = self._stage.view(fd, view)
        return tuple((name, shown.get(name)) for name in names)

    def _count(
        self,
        title: str,
        key: tuple[str, object],
        look: Callable[[], int],
        amount: int,
        more: bool,
    ) -> None:
        base = self._looked.get(key, 0) if more else 0
        self._same(base + amount, look, lambda total: _count_text(title, total - base, more))
        self._looked[key] = base + amount

    def _same(self, wanted: object, look: Callable[[], object], write: Callable[..., str]) -> None:
        """Compare, and give what is late a moment. Raises ``Differs``."""
        try:
            if look() != wanted:
                self._stage.settle(lambda: look() == wanted)
            got = look()
        except OSError as error:
            raise Refused(error.strerror or str(error)) from error
        if got != wanted:
            differ(write(wanted), write(got))

    def _listener(self, fd: int | None) -> int:
        if fd is not None:
            return fd
        listening = self._calls.listening
        if len(listening) != 1:
            raise Refused(f"there are {len(listening)} listeners: say which, accept_queue(3) 2/1")
        return listening[0]


def _queue_text(queue: Queue, value: tuple[int, int | None]) -> str:
    depth, limit = value
    return f"{queue.value} {depth}" + ("" if limit is None else f"/{limit}")


def _view_text(view: View, values: tuple[tuple[str, int | None], ...]) -> str:
    return " ".join([view.value, *(f"{name} {value}" for name, value in values)])


def _count_text(title: str, amount: int, more: bool) -> str:
    return f"{title} {amount:+d}" if more else f"{title} {amount}"
