from annotated_shadowsocks.config import account_options, options


def test_the_rows_are_in_the_one_table() -> None:
    rows = [getattr(account_options, name) for name in account_options.__all__]
    assert all(any(row is one for one in options.OPTIONS) for row in rows)


def test_nothing_that_weakens_is_on_by_default() -> None:
    assert account_options.ALLOW_INSECURE_CIPHERS.default is False
    assert account_options.ALLOW_WEAK_PASSWORDS.default is False
