"""What holds for every test of the services."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _no_internal_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An exception that a boundary caught ends one connection, which a test may not even notice."""
    yield
    errors = [
        record.getMessage()
        for when in ("setup", "call")
        for record in caplog.get_records(when)
        if record.levelno >= logging.ERROR and record.getMessage().startswith("internal error")
    ]
    assert not errors
