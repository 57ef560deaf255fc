"""``sslocal``, ``ssserver`` and ``ssmanager``: from a command line to a running service."""

import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..config import options as o
from ..config.reader import Document, read
from ..config.sections import Setting
from . import files
from .arguments import Invocation, parse
from .text import complain

if TYPE_CHECKING:
    from ..config.model import Config

__all__ = ["config_path", "load_config", "run"]


def run(program: str, argv: Sequence[str]) -> int:
    """The whole life of ``program``; returns its exit code."""
    invocation = parse(program, argv)
    if invocation.list_ciphers:
        from . import ciphers

        return ciphers.run(invocation.json)
    _warn_of_secrets(program, invocation)
    path = config_path(program, invocation)
    # SIGHUP loads the same sources again, and sees what changed in them.
    load = partial(load_config, program, path, invocation.flags)
    config = load()
    _warn_of_weakness(program, config)
    if invocation.print_config:
        from ..config.show import shown

        print(json.dumps(shown(config), indent=2, ensure_ascii=False))
        return 0
    if invocation.test_config:
        print(f"{path or 'command line'}: good: {_summary(config)}")
        return 0
    # Imported when it is certain that they are needed: they load the event loop.
    from ..supervision import run as supervision
    from . import logs

    logs.configure(config.log)
    logs.say("configuration from %s", path or "the command line")
    start = supervision.run_local if program == "sslocal" else supervision.run_server
    return start(config, load)


def config_path(program: str, invocation: Invocation) -> str | None:
    """The file to read; None where the command line is the whole configuration."""
    if invocation.config is not None:
        return invocation.config
    if {o.SERVER.key, o.SERVER_URL.key, o.MANAGER_ADDRESS.key} & set(invocation.flags):
        return None
    return files.find_config(program, os.environ)


def load_config(program: str, path: str | None, flags: Mapping[str, Setting]) -> "Config":
    """The configuration of ``program`` as its sources say now. Raises ``ConfigError``."""
    # Imported here: it loads the table of cipher methods, which help and version do not need.
    from ..config.build import build
    from ..config.strength import check_strength

    document = read(files.read_config(path), path) if path else Document("command line")
    config = build(document, flags, program, os.environ, files.read_secret)
    check_strength(config)
    return config


def _warn_of_secrets(program: str, invocation: Invocation) -> None:
    password = invocation.flags.get(o.PASSWORD.key)
    visible = [invocation.flags.get(o.SERVER_URL.key)]
    if password and not password.value.reveal().startswith("${"):
        visible.append(password)
    for setting in filter(None, visible):
        better = "use --password-file FILE, or SS_SERVER_PASSWORD in the environment"
        complain(program, f"warning: {setting.place}: every user of this host can see it; {better}")


def _warn_of_weakness(program: str, config: "Config") -> None:
    from ..config.strength import check_strength

    for warning in check_strength(config):
        complain(program, f"warning: {warning}")


def _summary(config: "Config") -> str:
    parts = [f"{len(config.servers)} server{'s' * (len(config.servers) != 1)}"]
    if config.manager is not None:
        parts.append(f"and those that are added at {config.manager.listen}")
    if config.locals:
        parts.append(f"{len(config.locals)} listener{'s' * (len(config.locals) != 1)}")
    return ", ".join(parts)
