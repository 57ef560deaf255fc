from xml.etree import ElementTree

import pytest

from annotated_shadowsocks.pictures.depth import Series
from annotated_shadowsocks.pictures.depth_plot import draw, draw_series
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory

SVG = "{http://www.w3.org/2000/svg}"


def of_class(svg: str, tag: str, name: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(svg)
    return [e for e in root.iter(f"{SVG}{tag}") if name in e.attrib.get("class", "").split()]


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_panel_for_each_queue_and_a_mark_for_each_refusal() -> None:
    laboratory = Laboratory(0)
    laboratory.connect()
    laboratory.connect()
    laboratory.at(3.5)
    svg = draw(laboratory.recorded("full"))
    heads = [text for text in texts(svg) if "queue" in text]
    assert heads == ["SYN queue", "accept queue"]
    # The SYN, and again after 1, 2 and 3 s.
    assert len(of_class(svg, "line", "cross")) == 4
    assert len(of_class(svg, "line", "limit")) == 2


def test_what_is_beyond_the_limit_is_marked() -> None:
    series = Series("accept queue", (0, 10, 20), (1, 3, 1), 30, limit=2)
    svg = draw_series("", "", [series])
    [over] = of_class(svg, "rect", "over")
    fills = of_class(svg, "rect", "fill")
    assert [fill.attrib["width"] for fill in fills] == [over.attrib["width"]] * 3
    assert float(over.attrib["height"]) * 2 == pytest.approx(
        float(fills[1].attrib["height"]), abs=0.3
    )


def test_many_steps_in_a_pixel_are_one_spike_and_what_is_left() -> None:
    times = tuple(range(0, 10_002, 2))
    depths = tuple(number % 5 for number in range(len(times)))
    svg = draw_series("", "", [Series("q", times, depths, 10**9)])
    [edge] = of_class(svg, "path", "edge")
    assert edge.attrib["d"].count("H") == 3


@pytest.mark.parametrize(
    ("seconds", "marks"),
    [
        (0.004, ["0.0000", "0.0005"]),
        (7, ["0", "1", "2"]),
        (63, ["0", "10", "20"]),
        (0, ["0.000000"]),
    ],
)
def test_the_axis_has_round_numbers(seconds: float, marks: list[str]) -> None:
    svg = draw_series("", "", [Series("q", (0,), (0,), round(seconds * 1e9))])
    shown = texts(svg)
    assert [text for text in shown if text in marks][-len(marks) :] == marks
    assert len(shown) < 25
