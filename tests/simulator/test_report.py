"""A report's document."""

import json

from annotated_shadowsocks.simulator.arrivals import Even
from annotated_shadowsocks.simulator.scenario import Scenario
from annotated_shadowsocks.simulator.simulation import simulate
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND


def test_a_document_is_json_and_tells_times_in_seconds() -> None:
    report = simulate(Scenario(arrivals=(Even(4, SECOND),)))
    document = json.loads(json.dumps(report.document()))
    assert document["clients"] == 4
    assert document["outcomes"]["accepted"] == 4
    # There and back again at 1 ms each, to within one part in 128; most is exact.
    assert document["connect"]["most"] == 2 * MILLISECOND / SECOND
    assert 0.00198 < document["connect"]["p50"] <= 0.002
    assert document["served"]["most"] == 3 * MILLISECOND / SECOND
    assert document["accept_queues"] == [{"limit": 128, "capacity": 129, "high_water": 1}]
    assert document["depths"][0]["at"] == 0.0
    assert "depths" not in report.document(depths=False)


def test_nobody_came() -> None:
    document = simulate(Scenario(arrivals=(Even(4, 1),))).document()
    assert (document["clients"], document["overflow"], document["connect"]) == (0, 0.0, None)
