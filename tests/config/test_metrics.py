import json
from collections.abc import Callable

import pytest

from annotated_shadowsocks.config.metrics import is_loopback
from annotated_shadowsocks.config.model import Config, MetricsConfig
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.endpoint import Endpoint

ONE = {"server": "h", "password": "p", "method": "aes-256-gcm"}

Configure = Callable[..., Config]
Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("metrics", "wanted"),
    [
        ({"listen": "127.0.0.1:9150"}, MetricsConfig(Endpoint("127.0.0.1", 9150))),
        ({"listen": "[::1]:9150"}, MetricsConfig(Endpoint("::1", 9150))),
        ({"listen": "localhost:9150"}, MetricsConfig(Endpoint("localhost", 9150))),
        (
            {"listen": "0.0.0.0:9150", "token": "t"},
            MetricsConfig(Endpoint("0.0.0.0", 9150), Secret("t")),
        ),
        ({}, None),
    ],
)
def test_where_metrics_are_served(
    metrics: object, wanted: MetricsConfig | None, configure: Configure
) -> None:
    for program in ("ssserver", "sslocal"):
        assert configure(json.dumps(ONE | {"metrics": metrics}), program).metrics == wanted


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"listen": "0.0.0.0:9150"}, "metrics.listen: 0.0.0.0 can be reached from elsewhere"),
        ({"listen": "example.org:9150"}, "can be reached from elsewhere, and there is no token"),
        ({"listen": "127.0.0.1"}, "'127.0.0.1' has no port; write HOST:PORT"),
        ({"token": "t"}, "no listen"),
        ({"listen": "127.0.0.1:9150", "token": ""}, "an empty password"),
        ({"listen": "0.0.0.0:9150", "token": "${NOT_SET}"}, "the environment has no NOT_SET"),
        ({"listen": 9150}, "wants a host, found 9150"),
        ({"listening": "127.0.0.1:9150"}, "did you mean 'listen'?"),
        ("127.0.0.1:9150", "wants an object"),
    ],
)
def test_what_is_refused_is_one_clear_error(
    metrics: object, words: str, problems: Problems
) -> None:
    [problem] = problems(json.dumps(ONE | {"metrics": metrics}), "ssserver")
    assert words in problem


def test_loopback_is_what_only_this_host_reaches() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.1", "localhost.example")))
