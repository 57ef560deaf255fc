"""A real Prometheus scrapes a real server, and answers questions about what it read."""

import json
import os
import signal
import socket
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from annotated_shadowsocks.testing.commands import Command, children
from annotated_shadowsocks.testing.figures import FiguresPage
from annotated_shadowsocks.testing.programs import Program, free_port
from annotated_shadowsocks.testing.queues import until
from annotated_shadowsocks.testing.server_harness import PASSWORD

pytestmark = pytest.mark.interop


@contextmanager
def scraped(folder: Path, target: int, token: str) -> Iterator[str]:
    """Prometheus, which reads ``target`` once a second; gives where to ask it."""
    config = folder / "prometheus.json"
    # JSON is YAML.
    job = {
        "job_name": "shadowsocks",
        "scrape_interval": "1s",
        "authorization": {"credentials": token},
        "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
    }
    config.write_text(json.dumps({"scrape_configs": [job]}))
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with Program(command, [("tcp", port)]):
        yield f"http://127.0.0.1:{port}/api/v1"


def ask(api: str, path: str, **query: str) -> Any:
    url = f"{api}/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)["data"]


def value(api: str, query: str) -> float | None:
    found = ask(api, "query", query=query)["result"]
    return float(found[0]["value"][1]) if found else None


def test_prometheus_reads_the_page(tmp_path: Path) -> None:
    port, at = free_port(), free_port()
    document = {
        "server": "127.0.0.1",
        "server_port": port,
        "method": "aes-256-gcm",
        "password": PASSWORD,
        "backlog": 8,
        "metrics": {"listen": f"127.0.0.1:{at}", "token": "letmein"},
    }
    with (
        Command("ssserver", tmp_path, document, [("tcp", port), ("tcp", at)]) as server,
        scraped(tmp_path, at, "letmein") as api,
    ):
        page = FiguresPage(at, "letmein")
        until(lambda: page.status("/healthz") == 200)
        until(lambda: value(api, "up") == 1)
        [scrape] = ask(api, "targets")["activeTargets"]
        assert (scrape["health"], scrape["lastError"]) == ("up", "")
        series = ask(api, "label/__name__/values")
        assert "shadowsocks_listener_accept_queue_limit" in series
        kinds = ask(api, "metadata")
        assert kinds["shadowsocks_connections_accepted_total"][0]["type"] == "counter"
        assert kinds["shadowsocks_listener_accept_queue_depth"][0]["type"] == "gauge"
        # A queue that fills is seen from there.
        worker = min(children(server.pid))
        os.kill(worker, signal.SIGSTOP)
        try:
            clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(9)]
            full = (
                "shadowsocks_listener_accept_queue_depth > shadowsocks_listener_accept_queue_limit"
            )
            until(lambda: value(api, full) == 9)
            for client in clients:
                client.close()
        finally:
            os.kill(worker, signal.SIGCONT)
        until(lambda: value(api, "shadowsocks_connections_accepted_total") == 9)
        until(lambda: value(api, "shadowsocks_listener_accept_queue_depth") == 0)
        assert time.time() - (value(api, "shadowsocks_start_time_seconds") or 0) < 300
