"""SIP002 URLs. Expected values are the published ones: the examples of the SIP002 page, the tests
of shadowsocks-rust and of Shadowsocks.Net, and the percent-encoding rule of SIP022.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.shadowsocks.uri import ServerUri, decode, encode, encode_legacy

HOST = Endpoint("192.168.100.1", 8888)

# (URL, what it says)
PUBLISHED = [
    (
        "ss://YWVzLTEyOC1nY206dGVzdA@192.168.100.1:8888/#Example1",
        ServerUri("aes-128-gcm", "test", HOST, "", "Example1"),
    ),
    (
        "ss://YWVzLTEyOC1nY206dGVzdA==@192.168.100.1:8888#Example1",
        ServerUri("aes-128-gcm", "test", HOST, "", "Example1"),
    ),
    (
        "ss://cmM0LW1kNTpwYXNzd2Q@192.168.100.1:8888/?plugin=obfs-local%3Bobfs%3Dhttp#Example2",
        ServerUri("rc4-md5", "passwd", HOST, "obfs-local;obfs=http", "Example2"),
    ),
    (
        "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpzYWR4czslMjA4NDhzMTUxMg@localhost.local:114"
        "/?plugin=simple-obfs%3bobfs%3dhttp%3bobfs-host%3dexample.com",
        ServerUri(
            "chacha20-ietf-poly1305",
            "sadxs;%20848s1512",
            Endpoint("localhost.local", 114),
            "simple-obfs;obfs=http;obfs-host=example.com",
        ),
    ),
    (
        "ss://2022-blake3-aes-256-gcm:YctPZ6U7xPPcU%2Bgp3u%2B0tx%2FtRizJN9K8y%2BuKlW2qjlI%3D"
        "@192.168.100.1:8888#Example3",
        ServerUri(
            "2022-blake3-aes-256-gcm",
            "YctPZ6U7xPPcU+gp3u+0tx/tRizJN9K8y+uKlW2qjlI=",
            HOST,
            "",
            "Example3",
        ),
    ),
    (
        "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTp0ZXN0LyFAIzpAMTkyLjE2OC4xMDAuMTo4ODg4",
        ServerUri("chacha20-ietf-poly1305", "test/!@#:", HOST),
    ),
    ("ss://foo:bar@127.0.0.1:9999", ServerUri("foo", "bar", Endpoint("127.0.0.1", 9999))),
]


@pytest.mark.parametrize(("url", "server"), PUBLISHED)
def test_published_urls_are_read(url: str, server: ServerUri) -> None:
    assert decode(url) == server


@pytest.mark.parametrize("url", [PUBLISHED[2][0], PUBLISHED[4][0]])
def test_published_urls_are_written(url: str) -> None:
    assert encode(decode(url)) == url


def test_the_legacy_form_is_written() -> None:
    url, server = PUBLISHED[5]
    assert encode_legacy(server) == url


# "bf-cfb:test/!@#:" in both alphabets of base64: the SIP002 page's own example of the old form
# has '/' where the URL-safe alphabet has '_'.
@pytest.mark.parametrize(
    "userinfo",
    ["YmYtY2ZiOnRlc3QvIUAjOg", "YmYtY2ZiOnRlc3QvIUAjOg==", "YmYtY2ZiOnRlc3QvIUAjOg%3D%3D"],
)
def test_padding_may_be_there_or_percent_encoded(userinfo: str) -> None:
    assert decode(f"ss://{userinfo}@h:1").password == "test/!@#:"


# RFC 4648 sections 4 and 5: 62 and 63 are '+' and '/', or '-' and '_'. "a:" + these octets.
@pytest.mark.parametrize("userinfo", ["YTr7v78", "YTr7v7_", "YTr7v7/"])
def test_octets_that_are_not_utf8_are_refused(userinfo: str) -> None:
    with pytest.raises(ConfigError, match="neither base64 nor"):
        decode(f"ss://{userinfo}@h:1")


@pytest.mark.parametrize("userinfo", ["YTo_Pz8_", "YTo/Pz8/"])
def test_both_alphabets_are_read(userinfo: str) -> None:
    assert decode(f"ss://{userinfo}@h:1").password == "????"


@pytest.mark.parametrize(
    ("authority", "endpoint"),
    [
        ("example.com:443", Endpoint("example.com", 443)),
        ("example.com", Endpoint("example.com", 8388)),
        ("[2001:db8::1]:443", Endpoint("2001:db8::1", 443)),
        ("[2001:db8::1]", Endpoint("2001:db8::1", 8388)),
        # [RFC6874 §2] the percent sign of a zone is percent-encoded
        ("[fe80::1%25eth0]:443", Endpoint("fe80::1%eth0", 443)),
        ("b%C3%BCcher.example:443", Endpoint("bücher.example", 443)),
        ("example.com:443/", Endpoint("example.com", 443)),
        ("example.com:443/?outline=1", Endpoint("example.com", 443)),
    ],
)
def test_hosts(authority: str, endpoint: Endpoint) -> None:
    assert decode(f"ss://YTpi@{authority}").endpoint == endpoint


def test_plain_user_information_is_percent_encoded() -> None:
    server = decode("ss://aes-256-gcm:p%40ss%3A%2F+%25@h:1")
    assert (server.method, server.password) == ("aes-256-gcm", "p@ss:/+%")


def test_an_at_sign_left_in_the_password_belongs_to_it() -> None:
    assert decode("ss://m:p@ss@h:1") == ServerUri("m", "p@ss", Endpoint("h", 1))


def test_white_space_of_a_paste_and_capitals_of_the_scheme() -> None:
    assert decode("  SS://YTpi@h:1\n") == ServerUri("a", "b", Endpoint("h", 1))


def test_an_ipv6_server_is_written_in_brackets() -> None:
    server = ServerUri("aes-128-gcm", "test", Endpoint("2001:db8::1", 8888), "", "a b")
    assert encode(server) == "ss://YWVzLTEyOC1nY206dGVzdA@[2001:db8::1]:8888#a%20b"


@pytest.mark.parametrize("url", ["ss://none:@h:1", "ss://bm9uZTo@h:1", "ss://bm9uZTpAaDox"])
def test_what_hides_nothing_needs_no_password(url: str) -> None:
    server = decode(url)
    assert server == ServerUri("none", "", Endpoint("h", 1))
    assert decode(encode(server)) == decode(encode_legacy(server)) == server


@pytest.mark.parametrize(
    ("url", "problem", "remedy"),
    [
        ("", "not a Shadowsocks URL", "starts with ss://"),
        ("http://h:1", "not a Shadowsocks URL", "starts with ss://"),
        ("ss://", "no method:password", "write ss://method:password@host"),
        ("ss://!!@h:1", "the user information is neither base64", "percent-encode"),
        ("ss://YTpiY@h:1", "the user information is neither base64", "percent-encode"),
        ("ss://YWJj@h:1", "no method:password", "write ss://method:password@host"),
        ("ss://:b@h:1", "no method:password", "write ss://method:password@host"),
        ("ss://a:@h:1", "no method:password", "write ss://method:password@host"),
        ("ss://a:b%FF@h:1", "the user information is not UTF-8", "copy the URL again"),
        ("ss://YTpi@h:1#%FF", "the tag is not UTF-8", "copy the URL again"),
        ("ss://YTpi@h:1?plugin=%FF", "the plugin is not UTF-8", "copy the URL again"),
        ("ss://YTpi@", "has no host", "host:port"),
        ("ss://YTpi@h:x", "'x' in 'h:x' is not a port", "use 0 to 65535"),
        ("ss://YTpi@h:65536", "'65536' in 'h:65536' is not a port", "use 0 to 65535"),
        ("ss://YTpi@h:0", "'h:0' is not a server", "host:port"),
        ("ss://YTpi@2001:db8::1:8388", "is not a host", "[address]:port"),
        ("ss://YTpi@2001:db8::1", "is not a host", "[address]:port"),
        ("ss://YTpi@[h]:1", "is not an address", "[address]:port"),
        ("ss://YTpi@[1.2.3.4]:1", "is not an address", "[address]:port"),
        ("ss://YTpi@[2001:db8::1:1", "is not an address", "[address]:port"),
        ("ss://YTpi@a:b:1", "is not an address", "[address]:port"),
        ("ss://YTpi@h%20h:1", "is not a host", "take the spaces out"),
        ("ss://YTpi@h%00:1", "is not a host", "take the spaces out"),
        ("ss://YTpi@h%2Fh:1", "is not a server", "host:port"),
        ("ss://YTpi@h:1/path", "the URL has a path", "/?plugin="),
        ("ss://bm8gYXQgc2lnbg", "no method:password", "write ss://method:password@host"),
    ],
)
def test_what_is_wrong_is_named(url: str, problem: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(url)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("url", ["ss://a:hunter2", "ss://a:hunter2@h:x", "ss://YTpodW50ZXIyL@h:1"])
def test_errors_do_not_show_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(url)
    assert "hunter2" not in str(caught.value)
    assert "YTpodW50ZXIy" not in str(caught.value)


def test_the_repr_does_not_show_the_password() -> None:
    assert "hunter2" not in repr(ServerUri("a", "hunter2", HOST))


@pytest.mark.parametrize(
    "server", [ServerUri("", "b", HOST), ServerUri("a:a", "b", HOST), ServerUri("a", "", HOST)]
)
def test_what_cannot_be_a_url_is_not_written(server: ServerUri) -> None:
    for write in (encode, encode_legacy):
        with pytest.raises(ConfigError, match="needs a method and a password"):
            write(server)


@pytest.mark.parametrize(
    ("server", "what"),
    [
        (ServerUri("a", "b", HOST, "obfs-local"), "a plugin"),
        (ServerUri("2022-blake3-aes-128-gcm", "b", HOST), "2022-blake3-aes-128-gcm"),
    ],
)
def test_what_the_legacy_form_cannot_carry(server: ServerUri, what: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot carry {what}; use the SIP002 form"):
        encode_legacy(server)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
labels = st.from_regex(r"[a-zA-Zäöü0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?", fullmatch=True)
hosts = st.one_of(
    st.lists(labels, min_size=1, max_size=4).map(".".join),
    st.ip_addresses().map(str),
)
servers = st.builds(
    ServerUri,
    method=st.sampled_from(["aes-256-gcm", "2022-blake3-aes-128-gcm", "none", "what@ever/%"]),
    password=texts.filter(bool),
    endpoint=st.builds(Endpoint, hosts, st.integers(1, 65535)),
    plugin=texts,
    tag=texts,
)


@given(servers)
def test_what_is_written_is_read(server: ServerUri) -> None:
    assert decode(encode(server)) == server


@given(servers)
def test_what_is_written_in_the_legacy_form_is_read(server: ServerUri) -> None:
    if server.plugin or server.method.startswith("2022-"):
        return
    assert decode(encode_legacy(server)) == server


@given(servers)
def test_a_url_is_one_line_of_ascii(server: ServerUri) -> None:
    url = encode(server)
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url


@given(st.text())
def test_any_text_is_a_server_or_an_error_with_a_remedy(text: str) -> None:
    for url in (text, f"ss://{text}", f"ss://YTpi@{text}"):
        try:
            server = decode(url)
        except ConfigError as error:
            assert error.problem
            assert error.remedy
        else:
            assert server.endpoint.port
