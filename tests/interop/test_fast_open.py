"""TCP Fast Open between our two hops, in a namespace whose kernel grants it on both sides."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

ROOT = Path(__file__).parents[2]

#: Runs inside the namespace: two hops, an origin, three fetches, the kernel's counters.
SCRIPT = """
import asyncio, subprocess, sys
from pathlib import Path
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import Error
from annotated_shadowsocks.cli.demo import _socks
from annotated_shadowsocks.cli.demo_origin import Origin
from annotated_shadowsocks.socks5.client import ClientHandshake

Path("/proc/sys/net/ipv4/tcp_fastopen").write_text("3")

def counters():
    names, values = [l.split() for l in Path("/proc/net/netstat").read_text().splitlines()[:2]]
    return {name: int(value) for name, value in zip(names[1:], values[1:])}

async def fetch(origin):
    loop = asyncio.get_running_loop()
    with await _socks(Endpoint("127.0.0.1", 9200), ClientHandshake(origin.http)) as sock:
        await loop.sock_sendall(sock, b"GET / HTTP/1.0\\r\\n\\r\\n")
        return await loop.sock_recv(sock, 15)

async def main():
    async with Origin(1) as origin:
        while True:
            try:
                first = await fetch(origin)
                break
            except (OSError, Error):
                # One of the hops does not listen; sslocal says so by a refusal.
                await asyncio.sleep(0.05)
        before = counters()
        answers = {first} | {await fetch(origin) for _ in range(3)}
        after = counters()
    print(answers, *(after[n] - before[n] for n in ("TCPFastOpenActive", "TCPFastOpenPassive")))

hops = [subprocess.Popen([sys.executable, "-m", "annotated_shadowsocks", name, "-c", sys.argv[1]])
        for name in ("ssserver", "sslocal")]
try:
    asyncio.run(asyncio.wait_for(main(), 20))
finally:
    for hop in hops:
        hop.terminate()
    for hop in hops:
        hop.wait()
"""


def test_request_travels_in_the_syn(tmp_path: Path) -> None:
    """The first connection fetches the cookie; each later one sends its chunk in the SYN."""
    document = tmp_path / "config.json"
    settings = {
        "server": "127.0.0.1",
        "server_port": 9100,
        "local_address": "127.0.0.1",
        "local_port": 9200,
        "password": "seen by nobody outside of this test",
        "method": "aes-128-gcm",
        "allow_private_targets": True,
        "fast_open": True,
    }
    document.write_text(json.dumps(settings))
    script = tmp_path / "inside.py"
    script.write_text(SCRIPT)
    inside = f"ip link set lo up && exec {sys.executable} {script} {document}"
    done = subprocess.run(
        ["unshare", "--net", "--", "bash", "-c", inside],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split()[-2:] == ["3", "3"], done.stderr
    assert "HTTP/1.1 200 OK" in done.stdout
