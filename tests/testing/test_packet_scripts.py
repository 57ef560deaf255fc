"""What the strategies make can be written down and read again."""

from hypothesis import given

from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.scripts.printer import print_body
from annotated_shadowsocks.scripts.statements import Body
from annotated_shadowsocks.testing.packet_scripts import SCRIPTS, bodies, read


def test_the_repository_has_scripts() -> None:
    assert len(SCRIPTS) > 56
    assert read(SCRIPTS[0]).name == SCRIPTS[0].name


@given(bodies)
def test_any_body_is_a_statement(body: Body) -> None:
    (statement,) = parse(print_body(body)).statements
    assert statement.body == body
