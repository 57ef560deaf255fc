import re

import pytest

from annotated_shadowsocks.telemetry.families import FAMILIES, Family, Kind, find


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_names_follow_the_conventions(family: Family) -> None:
    assert re.fullmatch(r"shadowsocks_[a-z_]+", family.name)
    # [Prometheus §metric-names] a counter is a total, and a level is none
    assert family.name.endswith("_total") == (family.kind is Kind.COUNTER)
    assert family.help.endswith(".")
    assert all(re.fullmatch(r"[a-z]+", label) for label in family.labels)


def test_a_family_is_found_by_either_name() -> None:
    assert find("udp_associations") is find("shadowsocks_udp_associations")
    with pytest.raises(KeyError):
        find("nothing")
