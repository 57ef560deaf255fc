"""The dashboard and the alerts ask for series that exist, by labels that they have."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from annotated_shadowsocks.telemetry.families import FAMILIES, Kind

CONTRIB = Path(__file__).parents[2] / "contrib"
DASHBOARD = json.loads((CONTRIB / "grafana/annotated-shadowsocks.json").read_text())
ALERTS = CONTRIB / "prometheus/alerts.yml"

QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
ALERT_QUERIES = re.findall(r"expr: (.*)", ALERTS.read_text())

_SELECTOR = re.compile(r"(shadowsocks_\w+)(?:\{([^}]*)\})?(\[[^\]]*\])?")


@pytest.mark.parametrize("query", [*QUERIES, *ALERT_QUERIES])
def test_a_query_names_series_and_labels_that_exist(query: str) -> None:
    selectors = _SELECTOR.findall(query)
    assert selectors
    for name, matchers, window in selectors:
        family = FAMILIES[name]
        assert set(re.findall(r"(\w+)\s*[!=]?[=~]", matchers)) <= set(family.labels)
        # A counter says something by its rate alone, and a level by itself.
        assert bool(window) == (family.kind is Kind.COUNTER), name
    for group in re.findall(r"by \(([^)]*)\)", query):
        labels = {label for name, *_ in selectors for label in FAMILIES[name].labels}
        assert set(re.split(r",\s*", group)) <= labels


def test_legends_name_labels_that_the_query_leaves() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            query, legend = target["expr"], target["legendFormat"]
            groups = re.findall(r"by \(([^)]*)\)", query)
            names = [name for name, *_ in _SELECTOR.findall(query)]
            left = {label for name in names for label in FAMILIES[name].labels}
            if groups:
                left = set(re.split(r",\s*", groups[-1]))
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= left, query


def test_every_panel_has_its_own_place() -> None:
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({p["id"] for p in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.interop
@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_accepts_the_alerts() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
