import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.shadowsocks.password import GOOD, TOLERABLE, guess_bits


@pytest.mark.parametrize(
    "password",
    ["a", "secret", "12345678", "aaaaaaaaaaaaaaaaaaaa", "abcdefghijklmnop", "password", "барфу"],
)
def test_what_nobody_should_use(password: str) -> None:
    assert guess_bits(password) < TOLERABLE


@pytest.mark.parametrize("password", ["correct horse", "Tr0ub4dor&3x"])
def test_what_is_better_than_nothing(password: str) -> None:
    assert guess_bits(password) >= TOLERABLE


@pytest.mark.parametrize(
    "password", ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "correct horse battery staple"]
)
def test_what_is_good(password: str) -> None:
    assert guess_bits(password) >= GOOD


def test_nothing_has_no_bits() -> None:
    assert guess_bits("") == 0


def test_what_continues_says_little() -> None:
    assert guess_bits("1234") == math.log2(10) + 3
    assert guess_bits("4321") == guess_bits("4444") == math.log2(10) + 3
    assert guess_bits("1357") == 4 * math.log2(10)


@given(st.text(), st.characters())
def test_more_is_never_worse(password: str, more: str) -> None:
    assert guess_bits(password + more) >= guess_bits(password)
