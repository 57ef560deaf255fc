"""Fixtures of the resolver's tests."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from annotated_shadowsocks.testing.loops import LOOPS, run_on


@pytest.fixture(params=LOOPS)
def run(
    request: pytest.FixtureRequest,
) -> Callable[[Callable[[], Coroutine[Any, Any, None]]], None]:
    """Runs a coroutine function on a fresh loop; the test runs once for each kind of loop."""
    return lambda main: run_on(request.param, main)
