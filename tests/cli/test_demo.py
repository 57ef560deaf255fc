"""The demonstration: what it prints is true, and it ends when it is told to."""

import asyncio
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from annotated_shadowsocks.cli import demo
from annotated_shadowsocks.cli.demo_origin import Origin
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.shadowsocks import uri
from annotated_shadowsocks.testing.loops import run_on
from annotated_shadowsocks.testing.programs import Program
from annotated_shadowsocks.testing.server_harness import exchange
from annotated_shadowsocks.testing.targets import until

pytestmark = pytest.mark.usefixtures("no_internal_error")

COMMAND = [sys.executable, "-m", "annotated_shadowsocks", "ssservice", "demo"]


def test_it_shows_both_ways_and_ends_well() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout
    assert "16,777,216 octets" in said
    assert "1,200 octets there and 1,200 back" in said
    assert "equal to the origin's" in said
    assert said.endswith("All octets arrived as they were sent.\n")
    # Two listeners, each with what was asked and what the kernel made of it.
    assert len(re.findall(r"granted (\d+) \(the accept queue holds (\d+)\)", said)) == 2
    server = uri.decode(said[said.index("ss://") :].split()[0])
    assert f"ssserver  {server.endpoint} " in said
    assert (server.method, server.tag) == ("aes-256-gcm", "demo")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stays_up_as_long_as_it_is_wanted(number: int) -> None:
    async def main() -> None:
        with Program([*COMMAND, "--keep"]) as program:
            await until(lambda: "Up until Ctrl-C." in program.output())
            found = re.search(r"--socks5-hostname (\S+) http://(\S+)/", program.output())
            assert found
            proxy, origin = map(Endpoint.parse, found.groups())
            request = b"GET / HTTP/1.0\r\nHost: demo\r\n\r\n"
            page = await exchange(proxy, origin, request)
            assert page.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"came through the tunnel" in page
            assert program.end(number) == 0

    run_on("asyncio", main)


def test_octets_that_differ_end_it_badly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Origin):
        def __init__(self, size: int) -> None:
            super().__init__(1000)
            self.digest = "not that of what it serves"

    monkeypatch.setattr(demo, "Origin", Broken)
    monkeypatch.setattr(demo, "raise_descriptor_limit", lambda: None)
    assert demo.run(keep=True) == 70
    assert capsys.readouterr().out.endswith("Octets were lost or changed.\n")


def test_ctrl_c_in_the_middle_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(main: Any) -> int:
        main.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "raise_descriptor_limit", lambda: None)
    monkeypatch.setattr(asyncio, "run", interrupted)
    assert demo.run(keep=False) == 0
