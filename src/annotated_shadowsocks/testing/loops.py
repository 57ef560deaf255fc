"""Run a test on each event loop that the package supports."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..relay.event_loop import new_event_loop

__all__ = ["LOOPS", "run_on"]

T = TypeVar("T")

#: For ``pytest.mark.parametrize("loop_name", LOOPS)``; the first is asyncio as the programs run it.
LOOPS = ("asyncio", "uvloop")


def run_on(loop_name: str, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``main`` to its end on a fresh loop and return what it returns.

    An exception that reached only the loop (from a callback, or from a task that nobody awaits)
    fails the run: no caller would have seen it.
    """
    unseen: list[str] = []

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Whatever still runs at the end is cancelled, and before Python 3.12 asyncio's own stream
        # server reports that as an exception.
        if not isinstance(context.get("exception"), asyncio.CancelledError):
            unseen.append(repr(context))

    with asyncio.Runner(loop_factory=_factory(loop_name)) as runner:
        runner.get_loop().set_exception_handler(note)
        result = runner.run(main())
    if unseen:
        raise AssertionError("the loop caught what nobody else did:\n" + "\n".join(unseen))
    return result


def _factory(loop_name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if loop_name == "asyncio":
        return new_event_loop
    import uvloop

    return uvloop.new_event_loop
