"""The little that statements can say about themselves."""

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.scripts.statements import (
    Comment,
    Names,
    Place,
    Profile,
    Script,
    ScriptOption,
    Statement,
)


def test_names() -> None:
    assert list(Names("C")) == ["C"]
    assert list(Names("P9", "P11")) == ["P9", "P10", "P11"]
    assert [str(Names("C")), str(Names("P9", "P11"))] == ["C", "P9..P11"]


def test_places_make_no_difference() -> None:
    assert Statement(Comment("x"), place=Place(1, 1)) == Statement(Comment("x"), place=Place(2, 2))
    assert Script((), name="a") == Script((), name="b")


def test_options() -> None:
    script = Script((), (ScriptOption("a", "1"), ScriptOption("a", "2"), ScriptOption("b")))
    assert (script.option("a"), script.option("b"), script.option("c")) == ("2", None, None)
    assert not script.ipv6
    assert Script((), (ScriptOption("ip_version", "ipv6"),)).ipv6
    with pytest.raises(ConfigError, match=r"--ip_version=ipv5 is not known; write ipv4 or ipv6"):
        assert Script((), (ScriptOption("ip_version", "ipv5"),)).ipv6


def test_a_profile() -> None:
    assert Script((Statement(Comment("x")), Statement(Profile("bsd44")))).profile == "bsd44"
    assert Script(()).profile is None
