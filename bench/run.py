"""What one run of the benchmark leaves behind: JSON, from which all else is made.

A sample is one measurement of one kind; a row is the samples of all rounds. Figures are named:
``client`` and ``server`` are of the two hops, others are what the clients saw.
"""

import json
import platform
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cryptography
from cryptography.hazmat.backends.openssl import backend

__all__ = ["Figures", "Row", "Run", "host", "load"]

Figures = Mapping[str, float]


@dataclass(slots=True)
class Row:
    """One kind doing one thing."""

    part: str
    variant: str
    method: str
    kind: str
    unit: str
    #: One value of each name for each round.
    samples: dict[str, list[float]] = field(default_factory=dict)
    #: The load generator's demand for a processor, from 0 to 1, in each round that counts.
    load: list[float] = field(default_factory=list)
    #: Why rounds are missing.
    refused: list[str] = field(default_factory=list)

    @property
    def name(self) -> tuple[str, str, str]:
        """What is the same for all kinds that did the same."""
        return self.part, self.variant, self.method

    def add(self, figures: Figures, load: float) -> None:
        """One more round."""
        for name, value in figures.items():
            self.samples.setdefault(name, []).append(value)
        self.load.append(load)

    def median(self, name: str) -> float | None:
        """Of all rounds; None where there are none."""
        values = self.samples.get(name)
        return statistics.median(values) if values else None


@dataclass(slots=True)
class Run:
    """All rows of one command, and where it ran."""

    command: str
    host: dict[str, str]
    kinds: dict[str, str]
    rows: list[Row] = field(default_factory=list)

    def row(self, part: str, variant: str, method: str, kind: str, unit: str) -> Row:
        """The row of that name, which is new if need be."""
        for row in self.rows:
            if (*row.name, row.kind) == (part, variant, method, kind):
                return row
        self.rows.append(Row(part, variant, method, kind, unit))
        return self.rows[-1]

    def groups(self) -> dict[tuple[str, str, str], list[Row]]:
        """Rows by what was done."""
        found: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.name, []).append(row)
        return found

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        document = asdict(self)
        for row in document["rows"]:
            row["samples"] = {
                n: [float(f"{v:.5g}") for v in vs] for n, vs in row["samples"].items()
            }
            row["load"] = [round(value, 2) for value in row["load"]]
        lines = ",\n".join(json.dumps(row) for row in document.pop("rows"))
        head = json.dumps(document, indent=1)
        path.write_text(f'{head[:-2]},\n "rows": [\n{lines}\n]}}\n', "utf-8")


def load(path: Path) -> Run:
    """Read what ``save`` wrote."""
    document = json.loads(path.read_text("utf-8"))
    rows = [Row(**row) for row in document.pop("rows")]
    return Run(**document, rows=rows)


def host() -> dict[str, str]:
    """What a figure depends on, of the machine and of what is installed."""
    sys = Path("/proc/sys/net")
    return {
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "cryptography": f"{cryptography.__version__}, {backend.openssl_version_text()}",
        "congestion control": (sys / "ipv4/tcp_congestion_control").read_text().strip(),
        "somaxconn": (sys / "core/somaxconn").read_text().strip(),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} of {names[0] if names else 'unknown'}"
