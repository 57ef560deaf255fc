from annotated_shadowsocks.config.option import (
    LIBEV_PROGRAMS,
    RUST_PROGRAMS,
    CommandFlag,
    Option,
    Scope,
    Standing,
    flag,
    unsupported,
    without_effect,
)


def test_a_flag_is_written_in_words() -> None:
    written = flag("-s --server-addr", "sslocal ssserver", "HOST:PORT")
    assert written == CommandFlag(("-s", "--server-addr"), ("sslocal", "ssserver"), "HOST:PORT")


def test_a_flag_without_programs_is_on_all() -> None:
    assert flag("--workers").programs == RUST_PROGRAMS + LIBEV_PROGRAMS


def test_a_row_answers_to_its_key_and_its_aliases() -> None:
    row = Option("dns", str, "", "help", aliases=("nameserver",))
    assert row.names == ("dns", "nameserver")
    assert row.standing is Standing.SUPPORTED


def test_rows_of_foreign_keys() -> None:
    refused = unsupported("acl", "remove it", Scope.SERVER)
    assert (refused.standing, refused.help) == (Standing.UNSUPPORTED, "remove it")
    idle = without_effect("id", "a name")
    assert (idle.standing, idle.scopes) == (Standing.WITHOUT_EFFECT, Scope.TOP)
