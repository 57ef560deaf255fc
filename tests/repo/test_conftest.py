"""A skipped interop or root test is a failure where skips are strict, and only there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tree import ROOT

FILES = {
    "test_interop.py": """\
import pytest
@pytest.mark.interop
def test_peer(): pytest.skip("no peer")
""",
    "test_root.py": """\
import pytest
pytestmark = pytest.mark.root
@pytest.mark.skipif(True, reason="not root")
def test_kernel(): pass
""",
    "test_module.py": """\
import pytest
pytest.skip("no module", allow_module_level=True)
""",
    "test_plain.py": """\
import pytest
def test_plain(): pytest.skip("no IPv6")
""",
}


def run(directory: Path, *options: str) -> str:
    """Run the files under a copy of our conftest, outside of continuous integration."""
    shutil.copy(ROOT / "tests/conftest.py", directory)
    (directory / "pytest.ini").write_text("[pytest]\nmarkers =\n interop\n root\n")
    for name, code in FILES.items():
        (directory / name).write_text(code)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-ra"]
    command += ["--continue-on-collection-errors", *options]
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    return done.stdout


def test_a_strict_skip_fails_and_says_why(tmp_path: Path) -> None:
    output = run(tmp_path, "--strict-skips")
    assert "1 failed, 1 skipped, 2 errors" in output
    for reason in ("no peer", "not root", "test_module.py skips itself"):
        assert f"{reason}, and a skip is a failure here" in output


def test_other_skips_stay_skips(tmp_path: Path) -> None:
    assert "4 skipped" in run(tmp_path).splitlines()[-1]


def test_continuous_integration_is_strict(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getoption("strict_skips") >= bool(os.environ.get("CI"))
