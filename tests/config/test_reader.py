"""The reader against RFC 8259 and the standard library's parser, and the liberties it takes."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.config.reader import MAX_DEPTH, Document, read
from annotated_shadowsocks.errors import ConfigError

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@given(json_values, st.sampled_from([None, 0, 2]), st.booleans())
def test_json_is_read_as_the_standard_library_reads_it(
    value: object, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert read(text, "c.json").value == json.loads(text)


# RFC 8259 section 13, the first example; section 7's G clef; section 6's numbers.
RFC8259_EXAMPLE = """
      {
        "Image": {
            "Width":  800,
            "Height": 600,
            "Title":  "View from 15th Floor",
            "Thumbnail": {
                "Url":    "http://www.example.com/image/481989943",
                "Height": 125,
                "Width":  100
            },
            "Animated" : false,
            "IDs": [116, 943, 234, 38793]
          }
      }
"""


def test_the_example_of_the_rfc() -> None:
    assert read(RFC8259_EXAMPLE, "c.json").value == json.loads(RFC8259_EXAMPLE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\uD834\uDD1E"', "\U0001d11e"),
        (r'"\"\\\/\b\f\n\r\t\u0041"', '"\\/\b\f\n\r\tA'),
        ("-0", 0),
        ("-12", -12),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1E+3", 1000.0),
        ("25e-1", 2.5),
        ("true", True),
        ("null", None),
        ("[]", []),
        ("{}", {}),
    ],
)
def test_values(text: str, value: object) -> None:
    found = read(text, "c.json").value
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("// before\n[1]", [1]),
        ("# before\n[1] # behind", [1]),
        ("/* over\n * lines */[1/**/,/* , */2]//", [1, 2]),
        ("[1, 2,]", [1, 2]),
        ('{"a": 1,}', {"a": 1}),
        ("{a: 1, $b: 2, _c: 3}", {"a": 1, "$b": 2, "_c": 3}),
        ("{'a': 'it is \"x\"'}", {"a": 'it is "x"'}),
        (r"'it\'s'", "it's"),
        ('\ufeff{"a": "//not a comment"}', {"a": "//not a comment"}),
        ('{"a": "#/*"}', {"a": "#/*"}),
    ],
)
def test_liberties(text: str, value: object) -> None:
    assert read(text, "c.json").value == value


@pytest.mark.parametrize(
    ("text", "place", "problem", "remedy"),
    [
        ("", "1:1", "empty", "write an object"),
        ("  // nothing\n", "2:1", "empty", "write an object"),
        ("{", "1:2", "the file ends inside what 1:1 opened", "close it with '}'"),
        ('{\n  "a": [1,\n', "3:1", "the file ends inside what 2:8 opened", "close it with ']'"),
        ('{"a" 1}', "1:6", "expected ':' but found a number", "behind a key"),
        ('{"a"', "1:5", "expected ':' but found the end of the file", "behind a key"),
        ('{"a": 1\n "b": 2}', "2:2", "expected ',' or '}' but found a string", "comma is missing"),
        ("[1 2]", "1:4", "expected ',' or ']' but found a number", "comma is missing"),
        ("[true false]", "1:7", "expected ',' or ']' but found a word", "comma is missing"),
        ("[1;2]", "1:3", "expected ',' or ']' but found ';'", "comma is missing"),
        ("[1}", "1:3", "expected ',' or ']' but found '}'", "bracket"),
        ("{,}", "1:2", "expected a key but found ','", "write keys as strings"),
        ("{1: 2}", "1:2", "expected a key but found a number", "write keys as strings"),
        ("[1,,2]", "1:4", "expected a value but found ','", "write a JSON value"),
        ('{"a":}', "1:6", "expected a value but found '}'", "write a JSON value"),
        ('{"a":', "1:6", "expected a value but found the end of the file", "write a JSON value"),
        ('["a\n"]', "1:2", "a string without its closing quote", 'close it with "'),
        ('["a', "1:2", "a string without its closing quote", 'close it with "'),
        ("['a\"]", "1:2", "a string without its closing quote", "close it with '"),
        (r'["\x"]', "1:3", "no such escape", "\\\\"),
        (r'["\u12"]', "1:3", "\\u without four hexadecimal digits", "\\u0041"),
        (r'["\uD834"]', "1:3", "half a surrogate pair", "the character itself"),
        (r'["\uD834\u0041"]', "1:3", "half a surrogate pair", "the character itself"),
        (r'["\uDD1E"]', "1:3", "half a surrogate pair", "the character itself"),
        ("[True]", "1:2", "a word without quotes", "write true"),
        ("[NULL]", "1:2", "a word without quotes", "write null"),
        ("[aes-256-gcm]", "1:2", "a word without quotes", "double quotes"),
        ("[NaN]", "1:2", "a word without quotes", "double quotes"),
        ("[01]", "1:2", "not a number", "double quotes"),
        ("[1.]", "1:2", "not a number", "double quotes"),
        ("[-]", "1:2", "not a number", "double quotes"),
        ("[8388x]", "1:2", "not a number", "double quotes"),
        ("[192.0.2.1]", "1:2", "not a number", "double quotes"),
        (f"[{'9' * 65}]", "1:2", "not a number", "double quotes"),
        ('{"a": 1,\n "a": 2}', "2:2", "'a' is here twice, first at 1:2", "keep one"),
        ("{} {}", "1:4", "more text behind the document", "keep one JSON value"),
        ("[1] /* x", "1:5", "a comment without its end", "close it with */"),
        ("[" * 40, f"1:{MAX_DEPTH + 2}", f"more than {MAX_DEPTH} deep", "no setting needs that"),
        ('{"a":' * 9999, f"1:{MAX_DEPTH * 5 + 6}", "deep", "no setting needs that"),
    ],
)
def test_what_is_broken_is_placed_and_named(
    text: str, place: str, problem: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "c.json")
    assert caught.value.place == f"c.json:{place}"
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        '{"password": hunter2}',
        '{"password": "hunter2}',
        '{"password" "hunter2"}',
        '{"password": "x" "hunter2"}',
        r'{"password": "hunter2\q"}',
        '{"password": 1hunter2}',
        "hunter2",
    ],
)
def test_errors_do_not_quote_what_may_be_a_secret(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "c.json")
    assert "hunter2" not in str(caught.value)


def test_every_part_has_its_place() -> None:
    text = '{\n  "servers": [\n    {"server": "a"},\n    {"server": "b", "mode": 1}\n  ]\n}'
    document = read(text, "c.json")
    assert document.place(()) == "c.json"
    assert document.place(("servers",)) == "c.json:2:3 servers"
    assert document.place(("servers", 0)) == "c.json:3:5 servers[0]"
    assert document.place(("servers", 1, "server")) == "c.json:4:6 servers[1].server"
    assert document.place(("servers", 1, "mode")) == "c.json:4:21 servers[1].mode"


def test_places_count_characters_behind_a_byte_order_mark() -> None:
    assert read('\ufeff{"ä": 1, "b": 2}', "c.json").place(("b",)) == "c.json:1:10 b"


def test_the_repr_of_a_document_does_not_show_it() -> None:
    assert "hunter2" not in repr(read('{"password": "hunter2"}', "c.json"))


def test_a_document_of_nothing() -> None:
    assert Document("command line").value == {}


@given(st.text(st.sampled_from(list("{}[]:,\"'\\/*#\n u0D8aetrufnlE+-.19$"))))
def test_any_text_is_a_value_or_an_error_with_place_and_remedy(text: str) -> None:
    try:
        document = read(text, "c.json")
    except ConfigError as error:
        assert error.place.startswith("c.json:")
        assert error.problem
        assert error.remedy
    else:
        assert all(document.place(path) for path in document.marks)


@given(json_values)
def test_a_document_cut_short_is_an_error(value: object) -> None:
    text = json.dumps([value])
    for end in range(len(text)):
        with pytest.raises(ConfigError):
            read(text[:end], "c.json")


def test_a_number_too_large_for_a_float_is_infinite_as_in_the_standard_library() -> None:
    assert read("1e999", "c.json").value == math.inf
