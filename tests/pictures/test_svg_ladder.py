from xml.etree import ElementTree

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.pictures.recorder import Recorder
from annotated_shadowsocks.pictures.svg_ladder import draw
from annotated_shadowsocks.pictures.trace import Trace
from annotated_shadowsocks.tcp_model.segment import Flow, Unreachable, UnreachableKind
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory

SVG = "{http://www.w3.org/2000/svg}"


def play() -> Laboratory:
    laboratory = Laboratory(1, settings={"tcp_syncookies": 0, "tcp_synack_retries": 1})
    laboratory.connect()
    laboratory.hold = 20_000_000
    laboratory.connect()
    laboratory.connect()
    laboratory.at(2)
    laboratory.cut = True
    laboratory.connect()
    laboratory.at(5)
    return laboratory


@pytest.fixture(scope="module")
def root() -> ElementTree.Element:
    return ElementTree.fromstring(draw(play().recorded("A <title>")))


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


def of_class(root: ElementTree.Element, tag: str, *classes: str) -> list[ElementTree.Element]:
    return [
        each
        for each in root.iter(f"{SVG}{tag}")
        if set(classes) <= set(each.attrib.get("class", "").split())
    ]


def test_everybody_and_everything_is_named(root: ElementTree.Element) -> None:
    said = texts(root)
    for word in ("A <title>", "A", "B", "C", "D", "server", "0.020", "model linux-6.18"):
        assert word in said
    assert "SYN seq 0" in said and "SYN/ACK again seq 0 ack 1" in said
    assert "ignored: the accept queue is full" in said


def test_an_arrow_for_each_packet_that_is_on_its_way(root: ElementTree.Element) -> None:
    sent = len([t for t in texts(root) if "seq 0" in t or t.startswith("ACK")])
    assert len(of_class(root, "line", "arrow")) == sent
    assert len(of_class(root, "line", "arrow", "held")) == 3
    # Two refused ACKs of C, and the lost SYNs of D at 2, 3, 4 and 5 s.
    assert len(of_class(root, "path", "cross")) == 2 + 4


def test_the_queues_are_as_wide_as_they_are_deep(root: ElementTree.Element) -> None:
    *beyond, sample = of_class(root, "rect", "over")
    [cell] = {float(each.attrib["width"]) for each in beyond}
    assert {float(e.attrib["width"]) for e in of_class(root, "rect", "fill")} == {cell}
    assert float(sample.attrib["y"]) > float(beyond[-1].attrib["y"])


def test_all_of_it_is_on_the_sheet(root: ElementTree.Element) -> None:
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    for each in root.iter(f"{SVG}text"):
        assert 0 <= float(each.attrib["x"]) <= width
        assert 0 <= float(each.attrib["y"]) <= height
        if each.attrib.get("text-anchor", "start") == "start":
            # Seven pixels a character is more than any of the fonts takes.
            assert float(each.attrib["x"]) + 7 * len("".join(each.itertext())) <= width + 20


def test_only_some_clients() -> None:
    root = ElementTree.fromstring(draw(play().recorded(), only={"C"}, counters=False))
    heads = [each.text for each in of_class(root, "text", "head")]
    assert heads == ["C", "server"]
    assert not any("ListenDrops" in text for text in texts(root))


def test_an_empty_trace_is_an_empty_sheet() -> None:
    assert ElementTree.fromstring(draw(Trace("nothing", "", (), ())))


def test_an_icmp_error_is_named_once() -> None:
    flow = Flow(Endpoint("10.9.0.1", 5000), Endpoint("10.9.0.3", 30001))
    recorder = Recorder()
    recorder.arrived(0, recorder.sent(0, Unreachable(flow, 7, UnreachableKind.HOST)))
    said = texts(ElementTree.fromstring(draw(recorder.trace("", ""))))
    assert "ICMP host unreachable" in said
