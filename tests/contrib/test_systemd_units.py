"""The unit files: what they start exists, and what they say agrees with the program."""

import configparser
import os
import re
import shlex
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from annotated_shadowsocks.cli.arguments import parse
from annotated_shadowsocks.config import options as o
from annotated_shadowsocks.endpoint import Endpoint

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "contrib/systemd"
PROGRAMS = ("sslocal", "ssserver")
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def unit(name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string((UNITS / name).read_text())
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_started_is_a_command_line_of_ours(program: str) -> None:
    path, *words = shlex.split(unit(f"{program}.service")["Service"]["ExecStart"])
    assert Path(path).name == program and program in SCRIPTS
    invocation = parse(program, words)
    assert invocation.config == f"/etc/annotated-shadowsocks/{program}.json"


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_service_tells_how_it_is(program: str) -> None:
    service = unit(f"{program}.service")["Service"]
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "all")
    assert int(service["WatchdogSec"]) > 10
    # Connections get the time that the program gives them.
    assert int(service["TimeoutStopSec"]) > o.SHUTDOWN_GRACE.default
    assert service["KillMode"] == "mixed"
    assert "-HUP $MAINPID" in service["ExecReload"]
    # Without netlink there is no word of what a listener has dropped; Unix is sd_notify's.
    families = set(service["RestrictAddressFamilies"].split())
    assert families == {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}
    assert "StateDirectory" in service


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_socket_is_what_the_program_takes_for_its_own(program: str) -> None:
    section = unit(f"{program}.socket")["Socket"]
    at = Endpoint.parse(section["ListenStream"])
    if program == "sslocal":
        assert at == Endpoint(o.LOCAL_ADDRESS.default.host, o.LOCAL_PORT.default)
    else:
        assert at.port == o.SERVER_PORT.default[0]
        assert section["ListenDatagram"] == section["ListenStream"]
    assert section["Accept"] == "no"
    assert int(section["Backlog"]) == (1 << 31) - 1


@pytest.mark.interop
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("program", PROGRAMS)
def test_systemd_understands_them(program: str, tmp_path: Path) -> None:
    # It looks whether the program is there, so there is one.
    there = tmp_path / program
    there.write_text("#!/bin/sh\n")
    there.chmod(there.stat().st_mode | stat.S_IXUSR)
    for kind in ("service", "socket"):
        text = (UNITS / f"{program}.{kind}").read_text()
        text = re.sub(r"/usr/local/bin/\w+", str(there), text)
        (tmp_path / f"{program}.{kind}").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / f"{program}.socket")],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )
    about_ours = [line for line in done.stderr.splitlines() if program in line]
    assert done.returncode == 0 and not about_ours, done.stderr
