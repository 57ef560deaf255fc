"""What a verdict says."""

import pytest

from annotated_shadowsocks.lab.verdict import Difference, Differs, Refusal, Verdict, differ
from annotated_shadowsocks.pictures.trace import Trace
from annotated_shadowsocks.scripts.statements import Place

TRACE = Trace("x.pkt", "model", (), ())


def test_texts() -> None:
    agreed = Verdict("x.pkt", "model", TRACE)
    assert agreed.agreed
    assert str(agreed) == "x.pkt on model: agreed"
    differs = Verdict("x.pkt", "model", TRACE, Difference(Place(3, 1), "C silent", "a", "b"))
    assert not differs.agreed
    assert str(differs) == ("x.pkt on model: line 3: C silent\n  expected a\n  got      b")
    refused = Verdict("x.pkt", "model", TRACE, None, Refusal(Place(3, 1), "poll()", "no"))
    assert not refused.agreed
    assert str(refused) == "x.pkt on model: line 3: poll()\n  cannot be run: no"


def test_differ() -> None:
    with pytest.raises(Differs, match="expected 1, got 2") as caught:
        differ(1, 2)
    assert (caught.value.expected, caught.value.got) == ("1", "2")
