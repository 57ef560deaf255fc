"""What every test run has in common: the tree on the path, hypothesis profiles, strict skips."""

import logging
import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

# Tests start the commands as their users do, in another interpreter: that one must find this
# tree too, and not a version that happens to be installed.
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1] / "src")

# A shell starts what it puts into the background with these two ignored, and what is ignored is
# inherited by every program that a test starts and wants to interrupt.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture(scope="session", autouse=True)
def no_state_outside() -> Iterator[None]:
    """What the commands keep between two starts goes where no other program looks for it."""
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.delenv("STATE_DIRECTORY", raising=False)
        patch.setenv("XDG_STATE_HOME", directory)
        yield


@pytest.fixture
def no_internal_error(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An exception that a boundary caught ends one connection, which a test may not even notice."""
    yield
    errors = [
        record.getMessage()
        for when in ("setup", "call")
        for record in caplog.get_records(when)
        if record.levelno >= logging.ERROR and record.getMessage().startswith("internal error")
    ]
    assert not errors


# No deadline and no complaint about slowness: how fast a machine is decides no test.
hypothesis.settings.register_profile(
    "fast",
    deadline=None,
    max_examples=50,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "deep", hypothesis.settings.get_profile("fast"), max_examples=5000
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--strict-skips``, which continuous integration turns on by its ``CI`` variable."""
    parser.addoption(
        "--strict-skips",
        action="store_true",
        default=bool(os.environ.get("CI")),
        help="a skipped interop or root test is a failure (the default where CI is set)",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under ``--strict-skips``, fail what needs a peer or a kernel and found none."""
    report = yield
    needs_more = item.get_closest_marker("interop") or item.get_closest_marker("root")
    if report.skipped and needs_more and item.config.getoption("strict_skips"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {reason}, and a skip is a failure here"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Under ``--strict-skips``, fail a module that skips itself: nobody saw its marks."""
    report = yield
    if report.skipped and collector.config.getoption("strict_skips"):
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} skips itself, and a skip is a failure here"
    return report
