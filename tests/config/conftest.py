"""What every test of this package needs: a document, flags, and somebody who builds both."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from annotated_shadowsocks.config.build import build
from annotated_shadowsocks.config.model import Config
from annotated_shadowsocks.config.options import OPTIONS
from annotated_shadowsocks.config.reader import Document, read
from annotated_shadowsocks.config.sections import Setting
from annotated_shadowsocks.errors import ConfigError

ROWS = {row.key: row for row in OPTIONS}
FILES = {
    "good": "from-a-file\nsecond line\n",
    "windows": "from-a-file\r\n",
    "empty": "\n",
    "users": '{"password": {"users": [{"user_name": "alice", "password": "p"}]}}',
}


def read_text(path: str) -> str:
    if path not in FILES:
        raise ConfigError("", f"cannot read {path}: No such file", "check the name")
    return FILES[path]


def settings(flags: Mapping[str, Any]) -> dict[str, Setting]:
    """Flags as the command line hands them over, placed as ``--key``."""
    return {key: Setting(ROWS[key].kind(value), f"--{key}") for key, value in flags.items()}


@pytest.fixture
def configure() -> Callable[..., Config]:
    def make(
        text: str = "", program: str = "sslocal", flags: Mapping[str, Any] | None = None, **env: str
    ) -> Config:
        document = read(text, "c.json") if text else Document("command line")
        return build(document, settings(flags or {}), program, env, read_text)

    return make


@pytest.fixture
def problems(configure: Callable[..., Config]) -> Callable[..., list[str]]:
    """All lines of the error that a configuration gives."""

    def make(*arguments: Any, **keywords: Any) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            configure(*arguments, **keywords)
        return [str(caught.value), *getattr(caught.value, "__notes__", [])]

    return make
