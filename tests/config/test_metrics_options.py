from annotated_shadowsocks.config import options as o
from annotated_shadowsocks.config.option import LIBEV_PROGRAMS, RUST_PROGRAMS, Scope


def test_every_program_takes_the_flag() -> None:
    for program in RUST_PROGRAMS + LIBEV_PROGRAMS:
        [flag] = o.flags_of(o.METRICS_LISTEN, program)
        assert flag.names == ("--metrics",)


def test_a_token_is_said_in_the_file_alone() -> None:
    assert o.METRICS_TOKEN.scopes == Scope.METRICS
    assert o.flags_of(o.METRICS_TOKEN, "ssserver") == ()
