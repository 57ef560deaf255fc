import traceback

from annotated_shadowsocks.config.secret import Secret


def test_only_reveal_gives_it_away() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2"
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", "%s" % secret, repr([secret])]  # noqa: UP031
    assert not any("hunter2" in text for text in shown)


def test_the_mask_does_not_tell_the_length() -> None:
    assert repr(Secret("a")) == repr(Secret("a" * 100))


def test_equal_secrets_are_equal() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_a_traceback_with_locals_does_not_show_it() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    try:
        fail(Secret("hunter2"))
    except ValueError as error:
        captured = traceback.TracebackException.from_exception(error, capture_locals=True)
        text = "".join(captured.format())
    assert "secret = Secret" in text
    # The source line of the caller holds the literal of this test; every other line must not.
    assert [line for line in text.splitlines() if "hunter2" in line] == [
        '    fail(Secret("hunter2"))'
    ]
