import pytest

from annotated_shadowsocks import errors
from annotated_shadowsocks.errors import (
    AuthenticationError,
    ConfigError,
    DialError,
    Error,
    ListenError,
    LocalProtocolError,
    ObserveError,
    PolicyRejected,
    ProtocolError,
    RemoteProtocolError,
    ReplayError,
    ResolveError,
    Truncated,
    UsageError,
    label,
)
from annotated_shadowsocks.wire.address import UnknownAddressType


class LaterReplay(ReplayError):
    pass


class LaterDial(DialError):
    pass


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Truncated(), "truncated"),
        (AuthenticationError(), "authentication"),
        (ReplayError(), "replay"),
        (RemoteProtocolError(), "protocol"),
        (LocalProtocolError(), "bug"),
        (PolicyRejected("10.0.0.1", "private"), "policy"),
        (ResolveError(), "resolve"),
        (DialError("a:1", "refused"), "dial"),
        (ListenError("a:1", "in use"), "listen"),
        (ObserveError("a table", "not permitted"), "observe"),
        (ConfigError("", "no method"), "config"),
        (UsageError(), "usage"),
        (TimeoutError(), "timeout"),
        (ConnectionError(), "reset"),
        (OSError(), "os"),
    ],
)
def test_each_class_has_its_word(error: BaseException, word: str) -> None:
    assert label(error) == word


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (LaterReplay(), "replay"),
        (LaterDial("a:1", "refused"), "dial"),
        (UnknownAddressType(), "protocol"),
        (ConnectionResetError(), "reset"),
        (BrokenPipeError(), "reset"),
        (PermissionError(), "os"),
        (TimeoutError(), "timeout"),
        # The nearest class counts: a time-out and a reset are errors of the system as well.
        (TimeoutError(110, "timed out"), "timeout"),
    ],
)
def test_a_subclass_has_the_word_of_its_nearest_class(error: BaseException, word: str) -> None:
    assert label(error) == word


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError(), Error(), ProtocolError()])
def test_what_nobody_meant_to_raise_is_a_bug(error: BaseException) -> None:
    assert label(error) == "bug"


def test_every_public_error_has_a_word_of_its_own_or_is_a_root() -> None:
    arguments = {
        "ClockSkewError": (31,),
        "ConfigError": ("", ""),
        "PolicyRejected": ("", ""),
        "DialError": ("", ""),
        "ListenError": ("", ""),
        "ObserveError": ("", ""),
    }
    words = {
        name: label(getattr(errors, name)(*arguments.get(name, ())))
        for name in errors.__all__
        if name != "label"
    }
    assert [name for name, word in words.items() if word == "bug"] == [
        "Error",
        "LocalProtocolError",
        "ProtocolError",
    ]
    assert len(set(words.values())) == len(words) - 2


@pytest.mark.parametrize(
    ("place", "problem", "remedy", "text"),
    [
        ("a.json:3:7", "no such method", "use another", "a.json:3:7: no such method; use another"),
        ("a.json:3:7", "no such method", "", "a.json:3:7: no such method"),
        ("", "no such method", "use another", "no such method; use another"),
        ("", "no such method", "", "no such method"),
    ],
)
def test_a_config_error_joins_place_problem_and_remedy(
    place: str, problem: str, remedy: str, text: str
) -> None:
    error = ConfigError(place, problem, remedy)
    assert str(error) == text
    assert (error.place, error.problem, error.remedy) == (place, problem, remedy)


def test_the_others_say_what_they_are_about() -> None:
    policy = PolicyRejected("10.0.0.1", "private network")
    assert str(policy) == "10.0.0.1 refused by rule: private network"
    assert (policy.subject, policy.rule) == ("10.0.0.1", "private network")
    for error, text in (
        (DialError("a:1", "refused", 111), "cannot connect to a:1: refused"),
        (ListenError("a:1", "refused", 111), "cannot listen on a:1: refused"),
        (ObserveError("a:1", "refused", 111), "cannot see a:1: refused"),
    ):
        assert str(error) == text
        assert (error.subject, error.reason, error.errno) == ("a:1", "refused", 111)
