"""The pages of a running program, asked for and read as a monitoring system would.

::

    page = FiguresPage(port)
    assert page.get("connections_accepted_total") == 3
    assert page.status("/readyz") == 200
"""

import http.client
import re

__all__ = ["FiguresPage"]

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class FiguresPage:
    """What is served at ``port`` of loopback; each call asks anew."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.port = port
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def fetch(self, path: str = "/metrics") -> tuple[int, str]:
        """Status and body. Raises ``OSError``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers=self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def status(self, path: str) -> int:
        """The status of a page, 0 where nobody answers."""
        try:
            return self.fetch(path)[0]
        except OSError:
            return 0

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every figure by its name, without the prefix, and its labels."""
        return {
            (name.removeprefix("shadowsocks_"), frozenset(_LABEL.findall(labels))): float(value)
            for name, labels, value in _SAMPLE.findall(self.fetch()[1])
        }

    def get(self, name: str, **labels: str) -> float:
        """The sum of the figures of ``name`` that have ``labels``."""
        wanted = set(labels.items())
        return sum(
            value
            for (found, has), value in self.samples().items()
            if found == name and wanted <= has
        )
