"""What holds for every test of the processes that serve."""

import pytest


@pytest.fixture(autouse=True)
def _clean(no_internal_error: None) -> None:
    """No boundary had to catch anything."""
