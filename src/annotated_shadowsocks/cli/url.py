"""``ssurl``: servers between configuration files and SIP002 URLs."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..config.reader import read
from ..shadowsocks import uri
from ..shadowsocks.uri import ServerUri
from . import files
from .arguments import ArgumentParser

__all__ = ["run"]

_WORDS = {"encode": "-e", "decode": "-d"}


def run(program: str, argv: Sequence[str]) -> int:
    """Encode or decode; returns the exit code."""
    # `ssurl encode FILE` says the same as shadowsocks-rust's `ssurl -e FILE`.
    words = [_WORDS.get(word, word) if index == 0 else word for index, word in enumerate(argv)]
    found = _parser(program).parse_args(words)
    if found.decode is None:
        return _encode(found.encode, found.legacy, found.json)
    text = sys.stdin.readline() if found.decode == "-" else found.decode
    print(json.dumps(_document(uri.decode(text)), indent=2, ensure_ascii=False))
    return 0


def _parser(program: str) -> ArgumentParser:
    about = "Servers between configuration files and ss:// URLs (SIP002)."
    parser = ArgumentParser(program, description=about)
    version = f"{program} {__version__} (Annotated Shadowsocks)"
    parser.add_argument("-V", "--version", action="version", version=version)
    direction = parser.add_mutually_exclusive_group(required=True)
    from_file = "print the URL of each server in a configuration file ('encode' does the same)"
    direction.add_argument("-e", "--encode", metavar="FILE", help=from_file)
    from_url = "print a URL as a configuration file ('decode' does the same; - reads stdin)"
    direction.add_argument("-d", "--decode", metavar="URL", help=from_url)
    parser.add_argument("--legacy", action="store_true", help="encode as before SIP002")
    parser.add_argument("--json", action="store_true", help="encode to a list of objects")
    return parser


def _encode(path: str, legacy: bool, as_json: bool) -> int:
    from ..config.links import links

    servers = links(read(files.read_config(path), path), os.environ, files.read_secret)
    write = uri.encode_legacy if legacy else uri.encode
    urls = [write(server) for server in servers]
    if as_json:
        named = [{"remarks": s.tag, "url": url} for s, url in zip(servers, urls, strict=True)]
        print(json.dumps(named, indent=2, ensure_ascii=False))
    else:
        print("\n".join(urls))
    return 0


def _document(server: ServerUri) -> dict[str, Any]:
    """A configuration of this one server, in the keys that all peers share."""
    plugin, _, options = server.plugin.partition(";")
    document = {
        "server": server.endpoint.host,
        "server_port": server.endpoint.port,
        "method": server.method,
        "password": server.password,
        "plugin": plugin,
        "plugin_opts": options,
        "remarks": server.tag,
    }
    return {key: value for key, value in document.items() if value != ""}
