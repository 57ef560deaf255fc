"""``sslocal`` and ``ssserver``: from a command line to a running service."""

import json
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from ..config import options as o
from ..config.reader import Document, read
from . import files
from .arguments import Invocation, parse
from .text import complain

if TYPE_CHECKING:
    from ..config.model import Config

__all__ = ["loader", "run"]


def run(program: str, argv: Sequence[str]) -> int:
    """The whole life of ``program``; returns its exit code."""
    invocation = parse(program, argv)
    _warn_of_secrets(program, invocation)
    load = loader(program, invocation)
    config = load()
    if invocation.print_config:
        from ..config.show import shown

        print(json.dumps(shown(config), indent=2, ensure_ascii=False))
        return 0
    if invocation.test_config:
        print(f"{program}: the configuration is good: {_summary(config)}")
        return 0
    # Imported when it is certain that they are needed: they load the event loop.
    services = import_module("annotated_shadowsocks.services.run")
    from . import logs

    logs.configure(config.log)
    start = services.run_local if program == "sslocal" else services.run_server
    code: int = start(config, load)
    return code


def loader(program: str, invocation: Invocation) -> "Callable[[], Config]":
    """Reads the same sources each time it is called, so that SIGHUP sees what changed in them."""
    path = invocation.config
    # A server on the command line is a whole configuration; no file is looked for behind it.
    if path is None and not {o.SERVER.key, o.SERVER_URL.key} & set(invocation.flags):
        path = files.find_config(program, os.environ)

    def load() -> "Config":
        from ..config.build import build

        document = read(files.read_config(path), path) if path else Document("command line")
        return build(document, invocation.flags, program, os.environ, files.read_secret)

    return load


def _warn_of_secrets(program: str, invocation: Invocation) -> None:
    password = invocation.flags.get(o.PASSWORD.key)
    visible = [invocation.flags.get(o.SERVER_URL.key)]
    if password and not password.value.reveal().startswith("${"):
        visible.append(password)
    for setting in filter(None, visible):
        better = "use --password-file FILE, or SS_SERVER_PASSWORD in the environment"
        complain(program, f"warning: {setting.place}: every user of this host can see it; {better}")


def _summary(config: "Config") -> str:
    parts = [f"{len(config.servers)} server{'s' * (len(config.servers) != 1)}"]
    if config.locals:
        parts.append(f"{len(config.locals)} listener{'s' * (len(config.locals) != 1)}")
    return ", ".join(parts)
