"""The wheel holds what an installed user needs."""

import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
from tree import PACKAGE, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    directory = tmp_path_factory.mktemp("wheel")
    # hatchling is called as it is installed: a build in isolation would fetch it anew.
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = directory.glob("*.whl")
    return zipfile.ZipFile(path)


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    (member,) = [entry for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}")]
    return wheel.read(member).decode()


def test_the_wheel_is_pure_and_typed(wheel: zipfile.ZipFile) -> None:
    assert Path(wheel.filename or "").name.endswith("-py3-none-any.whl")
    assert "annotated_shadowsocks/py.typed" in wheel.namelist()


def test_the_wheel_has_every_module_and_no_tests(wheel: zipfile.ZipFile) -> None:
    packed = {name for name in wheel.namelist() if name.endswith(".py")}
    assert packed == {str(path.relative_to(PACKAGE.parent)) for path in PACKAGE.rglob("*.py")}


def test_every_command_of_the_wheel_leads_to_a_function(wheel: zipfile.ZipFile) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    entry_points = ConfigParser()
    entry_points.read_string(metadata(wheel, "entry_points.txt"))
    assert dict(entry_points["console_scripts"]) == project["scripts"]
    for target in project["scripts"].values():
        module, _, function = target.partition(":")
        imported = __import__(module, fromlist=[function])
        assert callable(getattr(imported, function)), target


def test_the_wheel_carries_its_licence(wheel: zipfile.ZipFile) -> None:
    assert "License-Expression: Apache-2.0" in metadata(wheel, "METADATA")
    licence = (ROOT / "LICENSE").read_text("utf-8")
    assert metadata(wheel, "licenses/LICENSE") == licence
