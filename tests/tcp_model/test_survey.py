"""The table is made by connecting; the formulas are checked profile by profile."""

import pytest

from annotated_shadowsocks.tcp_model.profiles import DEFAULT, PROFILES, find
from annotated_shadowsocks.tcp_model.survey import AckAnswer, SynAnswer, answers, survey


def test_a_survey_keeps_the_order_of_its_backlogs() -> None:
    found = survey(DEFAULT, [5, -1, 5000, 0])
    assert [(one.backlog, one.limit, one.connections) for one in found] == [
        (5, 5, 6),
        (-1, 4096, 4097),
        (5000, 4096, 4097),
        (0, 0, 1),
    ]


def test_nothing_to_survey_is_no_survey() -> None:
    assert survey(DEFAULT, []) == []


@pytest.mark.parametrize("name", PROFILES)
def test_a_full_queue_refuses_the_syn_or_the_ack(name: str) -> None:
    found = answers(find(name))
    assert found.to_syn is not SynAnswer.SYN_ACK or found.to_ack is not AckAnswer.NEVER_FULL


def test_freebsd_can_be_silent() -> None:
    from dataclasses import replace

    freebsd = find("freebsd-12")
    silent = replace(freebsd, defaults=replace(freebsd.defaults, rst_on_sock_fail=0))
    assert answers(silent).to_ack is AckAnswer.FORGOTTEN
