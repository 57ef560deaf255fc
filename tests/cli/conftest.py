"""What the tests of all commands share."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def restored_loggers() -> Iterator[None]:
    """A command configures the loggers of its process, which here is everybody's."""
    loggers = [logging.getLogger(), logging.getLogger("annotated_shadowsocks")]
    before = [(logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
