"""What holds for every test of the services."""

import pytest


@pytest.fixture(autouse=True)
def _clean(no_internal_error: None) -> None:
    """No boundary had to catch anything."""
