import pytest

from annotated_shadowsocks.config.option import Scope
from annotated_shadowsocks.config.options import LOCALS, SERVERS
from annotated_shadowsocks.config.reader import read
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.config.sections import Section
from annotated_shadowsocks.config.sources import Sources
from annotated_shadowsocks.errors import ConfigError


def sources(text: str = "{}", **environment: str) -> Sources:
    return Sources(read(text, "c.json"), Section("command line"), environment, str)


@pytest.mark.parametrize("text", ["x", "$NAME", "${NAME", "x${NAME}", "${NAME}x"])
def test_other_text_is_the_secret_itself(text: str) -> None:
    assert sources(NAME="y").expand(Secret(text)) == Secret(text)


def test_a_variable_is_taken_from_the_environment() -> None:
    assert sources(NAME="y").expand(Secret("${NAME}")) == Secret("y")


@pytest.mark.parametrize("environment", [{}, {"NAME": ""}])
def test_a_variable_that_is_not_set(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="the environment has no NAME; set it, or use"):
        sources(**environment).expand(Secret("${NAME}"))


def test_an_attempt_that_fails_is_a_problem_with_a_place() -> None:
    def fail() -> int:
        raise ConfigError("", "broken", "mend it")

    found = sources()
    assert found.attempt("c.json:1:1", lambda: 1) == 1
    assert found.attempt("c.json:1:1", fail) is None
    assert [str(error) for error in found.problems.errors] == ["c.json:1:1: broken; mend it"]


def test_entries_are_read_without_those_that_are_disabled() -> None:
    found = sources('{"servers": [{"disabled": true}, {"server": "a"}, {"disabled": false}]}')
    top = found.read((), Scope.TOP)
    entries = found.entries(top.find(SERVERS), Scope.SERVER)
    assert [entry.place for entry in entries] == [
        "c.json:1:34 servers[1]",
        "c.json:1:51 servers[2]",
    ]
    assert found.entries(top.find(LOCALS), Scope.LOCAL) == []
