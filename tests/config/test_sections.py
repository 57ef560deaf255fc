import pytest

from annotated_shadowsocks.config import kinds
from annotated_shadowsocks.config.option import Option, Scope, unsupported, without_effect
from annotated_shadowsocks.config.reader import read
from annotated_shadowsocks.config.sections import Problems, Rows, Section, Setting, read_section
from annotated_shadowsocks.errors import ConfigError

PORT: Option[int] = Option("port", kinds.port, 8388, "a port", aliases=("p",))
NAME: Option[str] = Option("name", kinds.text, "", "a name")
ROWS: Rows = {"port": PORT, "p": PORT, "name": NAME}
FOREIGN: Rows = {"acl": unsupported("acl", "remove it"), "id": without_effect("id", "a label")}


def section(**values: object) -> Section:
    return Section("here", {key: Setting(value, f"here {key}") for key, value in values.items()})


def problems_of(text: str) -> list[str]:
    problems = Problems()
    read_section(read(text, "c.json"), (), {**ROWS, **FOREIGN}, problems)
    return [str(error) for error in problems.errors]


def test_the_innermost_setting_wins() -> None:
    stacked = section(port=1).within(section(port=2, name="x"))
    assert (stacked.get(PORT), stacked.get(NAME)) == (1, "x")


def test_a_default_stands_where_nothing_is_said() -> None:
    assert section().get(PORT) == 8388


def test_what_lies_over_a_section_speaks_for_its_place() -> None:
    over = Section("command line", section(port=1).settings).over(section(port=2))
    assert (over.place, over.get(PORT)) == ("here", 1)
    assert [level.place for level in over.levels()] == ["here", "here"]


def test_without() -> None:
    assert section(port=1, name="x").without(PORT).get(PORT) == 8388
    assert section(port=1, name="x").without(PORT).get(NAME) == "x"
    assert PORT in section(port=1)
    assert PORT not in section(name="x").within(section(port=1))


def test_settings_know_their_place_and_path() -> None:
    found = read_section(read('{\n"p": "80"}', "c.json"), (), ROWS, Problems())
    assert found.find(PORT) == Setting(80, "c.json:2:1 p", ("p",))


def test_null_is_as_if_the_key_were_not_there() -> None:
    found = read_section(read('{"port": null, "p": 1}', "c.json"), (), ROWS, Problems())
    assert found.get(PORT) == 1


@pytest.mark.parametrize(
    ("text", "place", "problem", "remedy"),
    [
        ('{"prot": 1}', "2 prot", "unknown key 'prot'", "did you mean 'port'?"),
        ('{"zzzzz": 1}', "2 zzzzz", "unknown key 'zzzzz'", "remove it, or check its spelling"),
        (
            '{ "workers": 1}',
            "3 workers",
            "unknown key 'workers'",
            "it belongs to the top level of the file",
        ),
        (
            '{"tcp_weight": 1}',
            "2 tcp_weight",
            "unknown key 'tcp_weight'",
            "it belongs to an entry of servers or locals",
        ),
        (
            '{"p": 1, "port": 1}',
            "10 port",
            "says again what c.json:1:2 p says",
            "keep one of the two",
        ),
        ('{"acl": "x"}', "2 acl", "not supported", "remove it"),
        ('{"port": -1}', "2 port", "wants a port, found -1", "use 1 to 65535"),
    ],
)
def test_problems_have_place_cause_and_remedy(
    text: str, place: str, problem: str, remedy: str
) -> None:
    assert problems_of(text) == [f"c.json:1:{place}: {problem}; {remedy}"]


def test_all_problems_are_found_in_the_order_of_the_document() -> None:
    found = problems_of('{"port": -1, "acl": "", "id": "x", "nmae": 2, "name": 2}')
    assert [line.partition(":")[2][:9] for line in found] == ["1:2 port:", "1:36 nmae", "1:47 name"]


@pytest.mark.parametrize("text", ["[]", "1", '"x"'])
def test_a_document_is_an_object(text: str) -> None:
    with pytest.raises(ConfigError, match=r'^c\.json: not an object; write {"server": …}$'):
        problems_of(text)


def test_further_problems_are_notes_of_the_first() -> None:
    problems = Problems()
    problems.raise_first()
    problems.add("a:1:1", "first", "mend it")
    problems.add_at("a:2:1", ConfigError("b:9:9", "second", "mend that"))
    with pytest.raises(ConfigError, match="a:1:1: first; mend it") as caught:
        problems.raise_first()
    assert str(caught.value) == "a:1:1: first; mend it"
    assert caught.value.__notes__ == ["a:2:1: b:9:9: second; mend that"]


def test_the_scopes_of_the_table_are_disjoint_bits() -> None:
    bits = [scope.value for scope in Scope]
    assert sum(bits) == max(bits) * 2 - 1
