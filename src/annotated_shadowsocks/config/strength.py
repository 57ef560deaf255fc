"""Passwords that a recording of one packet is enough to guess; see ``shadowsocks.password``."""

from collections.abc import Iterator

from ..crypto.methods import Generation
from ..shadowsocks.password import GOOD, TOLERABLE, guess_bits
from .model import Config, ServerConfig
from .sections import Problems

__all__ = ["check_strength"]


def check_strength(config: Config) -> list[str]:
    """A warning for each password of ``config`` that could be better.

    Raises ``ConfigError`` for one that ``ssserver`` should not have, unless it is told to allow
    that. Whoever only connects cannot choose, so ``sslocal`` is warned of it.
    """
    warnings, problems = [], Problems()
    for server in config.servers:
        for whose, password in _passwords(server):
            bits = guess_bits(password)
            found = f"{whose} can be guessed: it has {bits:.0f} bits at most, where {GOOD} are good"
            better = f"make one with 'ssservice genkey -m {server.method.name}'"
            if bits < TOLERABLE and not (config.locals or config.allow_weak_passwords):
                remedy = f"{better}, or allow_weak_passwords (--allow-weak-passwords) to mean it"
                problems.add(str(server.endpoint), found, remedy)
            elif bits < GOOD:
                warnings.append(f"{server.endpoint}: {found}; {better}")
    problems.raise_first()
    return warnings


def _passwords(server: ServerConfig) -> Iterator[tuple[str, str]]:
    """Each password that a key is made from, with words for whose it is."""
    if server.method.generation is Generation.AEAD_2022 or not server.method.key_size:
        # Random octets, if they are what they have to be; and what has no key has none to guess.
        return
    if server.users is None:
        yield "the password", server.password.reveal()
    for user in server.users or ():
        yield f"the password of user {user.name!r}", user.password.reveal()
