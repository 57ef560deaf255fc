"""The page, as a parser reads it that is not ours: prometheus-client's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parsed

from annotated_shadowsocks.telemetry.exposition import exposition
from annotated_shadowsocks.telemetry.families import FAMILIES
from annotated_shadowsocks.telemetry.figures import Figures


def test_a_page() -> None:
    figures = Figures()
    figures.set("udp_associations", 3)
    figures.set("udp_packets_total", 17, "client")
    # The example of the exposition format's own documentation: names, labels and values.
    assert exposition(figures) == (
        "# HELP shadowsocks_udp_packets_total Datagrams relayed.\n"
        "# TYPE shadowsocks_udp_packets_total counter\n"
        'shadowsocks_udp_packets_total{from="client"} 17\n'
        "# HELP shadowsocks_udp_associations UDP associations alive.\n"
        "# TYPE shadowsocks_udp_associations gauge\n"
        "shadowsocks_udp_associations 3\n"
    )


def test_nothing_is_an_empty_page() -> None:
    assert exposition(Figures()) == ""


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_read_as_what_it_is(name: str) -> None:
    family = FAMILIES[name]
    figures = Figures()
    values = tuple(f"of {label}" for label in family.labels)
    figures.set(name, 1.5, *values)
    [found] = parsed(exposition(figures))
    [sample] = found.samples
    assert (found.type, found.documentation) == (family.kind.value, family.help)
    assert (sample.name, sample.value) == (name, 1.5)
    assert sample.labels == dict(zip(family.labels, values, strict=True))


# A carriage return and the rest of str.splitlines' ends are ends of lines to that parser only.
@given(
    st.text(
        st.characters(
            exclude_categories=["Cs"], exclude_characters="\r\x85\x1c\x1d\x1e\x0b\x0c\u2028\u2029"
        )
    )
)
def test_a_label_may_hold_anything(user: str) -> None:
    figures = Figures()
    figures.set("user_connections_total", 1, user)
    [found] = parsed(exposition(figures))
    [sample] = found.samples
    assert sample.labels == {"user": user}
