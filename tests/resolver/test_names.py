import pytest

from annotated_shadowsocks.errors import ResolveError
from annotated_shadowsocks.resolver.names import candidates, is_loopback, literal, normalise


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("::", "::"),
    ],
)
def test_a_literal_has_one_text(host: str, canonical: str) -> None:
    assert literal(host) == canonical


@pytest.mark.parametrize("host", ["example.com", "127.1", "192.0.2.07", "[::1]", "", "1.2.3.4."])
def test_everything_else_is_no_literal(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("WWW.Example.COM", "www.example.com"),
        ("example.com.", "example.com."),
        ("_dmarc.example.com", "_dmarc.example.com"),
        # RFC 3492 section 7.1 has the Punycode of this kind of name; this one is RFC 5890's style.
        ("bücher.example", "xn--bcher-kva.example"),
        ("0x7g", "0x7g"),
        ("1a", "1a"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_name_is_asked_for_in_lower_case_ascii(host: str, name: str) -> None:
    assert normalise(host) == name


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "..",
        "a..b",
        ".example",
        "a" * 64 + ".example",
        ".".join(["abcdefg"] * 32),
        "x" * 100_000,
        "ü" * 64 + ".example",
    ],
)
def test_impossible_names_are_not_asked_for(host: str) -> None:
    with pytest.raises(ResolveError, match="host name"):
        normalise(host)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "10.0.0.0x1", "1.2.3.4."])
def test_mistyped_addresses_are_not_asked_for(host: str) -> None:
    with pytest.raises(ResolveError, match="neither an address nor a name"):
        normalise(host)


@pytest.mark.parametrize("host", ["hidden.onion", "x.invalid", "ONION."])
def test_special_use_names_are_not_asked_for(host: str) -> None:
    with pytest.raises(ResolveError, match="not in the DNS"):
        normalise(host)


@pytest.mark.parametrize("name", ["localhost", "localhost.", "a.localhost", "a.b.localhost."])
def test_localhost_and_below(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["localhost.example", "notlocalhost", "local"])
def test_not_localhost(name: str) -> None:
    assert not is_loopback(name)


SEARCH = ("one.test", "two.test")


@pytest.mark.parametrize(
    ("name", "ndots", "expected"),
    [
        ("db", 1, ["db.one.test", "db.two.test", "db"]),
        ("db.", 1, ["db"]),
        ("www.example", 1, ["www.example"]),
        ("www.example", 2, ["www.example.one.test", "www.example.two.test", "www.example"]),
        ("db", 0, ["db"]),
        ("x" * 63 + ".y" * 91, 95, ["x" * 63 + ".y" * 91]),
    ],
)
def test_candidates(name: str, ndots: int, expected: list[str]) -> None:
    assert candidates(name, SEARCH, ndots) == expected
