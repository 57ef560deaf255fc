"""Keys that peers have and this program has not: each stops the start and says what to do."""

import json
from collections.abc import Callable

import pytest

from annotated_shadowsocks.config.foreign import FOREIGN
from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.config.option import Option, Scope, Standing

BASE = {"server": "h", "password": "p", "method": "aes-256-gcm"}
REFUSED = [row for row in FOREIGN if row.standing is Standing.UNSUPPORTED]
IDLE = [row for row in FOREIGN if row.standing is Standing.WITHOUT_EFFECT]


def document(row: Option[object], value: object) -> tuple[str, str]:
    """A document in which the row's key has ``value``, and the key's path in it."""
    if row.scopes & Scope.TOP:
        return json.dumps({**BASE, row.key: value}), row.key
    if row.scopes & Scope.SERVER:
        return json.dumps({"servers": [{**BASE, row.key: value}]}), f"servers[0].{row.key}"
    if row.scopes & Scope.LOCAL:
        return json.dumps({**BASE, "locals": [{row.key: value}]}), f"locals[0].{row.key}"
    return json.dumps({**BASE, "log": {row.key: value}}), f"log.{row.key}"


@pytest.mark.parametrize("row", [row for row in REFUSED if row.scopes], ids=lambda row: row.key)
def test_a_foreign_key_is_refused_with_a_remedy(
    row: Option[object], problems: Callable[..., list[str]]
) -> None:
    text, path = document(row, "something")
    (line,) = problems(text)
    assert line.startswith("c.json:1:")
    assert f" {path}: not supported; {row.help}" in line


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}], ids=repr)
@pytest.mark.parametrize("key", ["plugin", "acl", "mptcp", "plugin_args", "outbound_fwmark", "log"])
def test_a_foreign_key_that_asks_for_nothing_is_accepted(
    key: str, value: object, configure: Callable[..., Config]
) -> None:
    if key == "log":
        text = json.dumps({**BASE, "log": {"writers": value}})
    else:
        text = json.dumps({**BASE, key: value})
    assert configure(text) == configure(json.dumps(BASE))


@pytest.mark.parametrize("row", IDLE, ids=lambda row: row.key)
def test_a_key_without_effect_has_none(
    row: Option[object], configure: Callable[..., Config]
) -> None:
    text, _ = document(row, "something")
    assert configure(text) == configure(json.dumps(BASE))
    assert row.help


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.key)
def test_a_remedy_is_an_order(row: Option[object]) -> None:
    orders = ("remove it", "use ", "give ", "start it", "run it", "write ", "let ")
    assert any(order in row.help for order in orders), row.help
