import asyncio

import pytest

from annotated_shadowsocks.testing.loops import LOOPS, run_on


@pytest.mark.parametrize("loop_name", LOOPS)
def test_runs_on_the_loop_that_was_named(loop_name: str) -> None:
    async def main() -> str:
        return type(asyncio.get_running_loop()).__module__

    modules = {"asyncio": "annotated_shadowsocks.relay.event_loop", "uvloop": "uvloop"}
    assert run_on(loop_name, main) == modules[loop_name]


@pytest.mark.parametrize("loop_name", LOOPS)
def test_an_exception_that_only_the_loop_saw_fails_the_run(loop_name: str) -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_on(loop_name, main)


@pytest.mark.parametrize("loop_name", LOOPS)
def test_what_still_runs_at_the_end_is_cancelled_without_complaint(loop_name: str) -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        task.add_done_callback(lambda task: task.result())
        await asyncio.sleep(0)

    run_on(loop_name, main)
