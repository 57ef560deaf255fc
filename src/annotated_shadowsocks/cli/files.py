"""Configuration files and files of secrets: where they are looked for, and who may read them."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigError, Error

__all__ = ["CannotCreate", "create_private", "find_config", "read_config", "read_secret"]

#: Octets of the largest configuration that is read; what is larger is some other file.
MAX_CONFIG = 1 << 20

#: Octets of the largest file of secrets that is read.
MAX_SECRET = 1 << 16

_OURS = "annotated-shadowsocks"
#: Where a host keeps the configuration of its services: ours, and that of the same commands.
SYSTEM = tuple(Path("/etc") / name for name in (_OURS, "shadowsocks", "shadowsocks-rust"))

_NAMES = {
    "sslocal": ("local.json", "config.json"),
    "ssserver": ("server.json", "config.json"),
    "ssmanager": ("manager.json", "config.json"),
    "ss-manager": ("manager.json", "config.json"),
}


class CannotCreate(Error):
    """A file that was asked for cannot be created."""


def find_config(program: str, environment: Mapping[str, str]) -> str:
    """The first configuration file that exists. Raises ``ConfigError`` that names the places."""
    candidates = list(_candidates(program, environment))
    for path in candidates:
        if path.is_file():
            return str(path)
    looked = ", ".join(dict.fromkeys(str(path.parent) for path in candidates))
    remedy = "give -c FILE, or -s HOST:PORT -m METHOD --password-file FILE"
    raise ConfigError("", f"no configuration in {looked}", remedy)


def _candidates(program: str, environment: Mapping[str, str]) -> Iterator[Path]:
    # Peers look into the working directory first. A program that holds keys and opens listeners
    # must not take orders from whichever directory it was started in.
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "/")) / ".config")
    for directory in (Path(home) / _OURS, *SYSTEM):
        for name in _NAMES[program]:
            yield directory / name


def read_config(path: str) -> str:
    """The text of a configuration file. Raises ``ConfigError``."""
    with _open(path) as file:
        return _text(file, path, MAX_CONFIG)


def read_secret(path: str) -> str:
    """The text of a file of secrets. Raises ``ConfigError``, also where others may read it."""
    with _open(path) as file:
        # Asked of the open file: between a stat by name and the open, the name may move.
        _check_private(os.fstat(file.fileno()), path)
        return _text(file, path, MAX_SECRET)


def create_private(path: str, text: str) -> None:
    """Create a file that only its owner can read. Never overwrites one."""
    try:
        # The mode belongs to open(2): a chmod afterwards would leave a moment for readers.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CannotCreate(f"cannot create {path}: {error.strerror}") from error


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _text(file: BinaryIO, path: str, limit: int) -> str:
    try:
        octets = file.read(limit + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(octets) > limit:
        raise ConfigError("", f"{path} is larger than {limit} octets", "name the right file")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError("", f"line {line} of {path} is not UTF-8", "save it as UTF-8") from error


def _check_private(status: os.stat_result, path: str) -> None:
    # A pipe or a terminal has no other readers, whatever its mode says.
    if not stat.S_ISREG(status.st_mode):
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        problem = f"{path} is open to other users (mode {mode:04o})"
        raise ConfigError("", problem, f"chmod 600 {path}")
    if status.st_uid not in (0, os.geteuid()):
        problem = f"{path} belongs to another user ({status.st_uid})"
        raise ConfigError("", problem, "keep secrets in a file of your own")


def _unreadable(path: str, error: OSError | ValueError) -> ConfigError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return ConfigError("", f"cannot read {path}: {reason}", "check the name and its permissions")
