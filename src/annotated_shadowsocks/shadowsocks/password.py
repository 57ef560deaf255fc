"""How hard a password is to guess, for the generations that make their key from one.

Whoever has recorded one packet can try passwords on it, with no server to slow them down: a key
costs them one MD5 for sixteen letters. And a server that answers only what opens can be asked about
many passwords with one packet (partitioning oracles, Len, Grubbs and Ristenpart, 2021). Against
both there is nothing but a password that cannot be guessed.

No estimate knows how a password was made. This one is kind: it takes the characters for drawn at
random from the classes that they are of, except where one repeats or continues the one before it.
What is weak even so is weak.
"""

import math

__all__ = ["GOOD", "TOLERABLE", "guess_bits"]

#: Bits from which on a password is not worth a word, and below which nobody should use it.
GOOD = 64
TOLERABLE = 40

#: Characters of printable ASCII that are no letter, digit or space.
_OTHERS = 32


def guess_bits(password: str) -> float:
    """The binary logarithm of how many passwords like ``password`` there are, at the most."""
    classes = (
        (26, any("a" <= c <= "z" for c in password)),
        (26, any("A" <= c <= "Z" for c in password)),
        (10, any("0" <= c <= "9" for c in password)),
        (_OTHERS, any(c.isascii() and not c.isalnum() and c != " " for c in password)),
        (1, " " in password),
        # Whoever writes in another alphabet uses a few dozen of its letters.
        (64, not password.isascii()),
    )
    bits = math.log2(sum(size for size, used in classes if used) or 1)
    # [test tests/shadowsocks/test_password.py::test_what_continues_says_little]
    fresh = sum(
        not 0 <= abs(ord(c) - ord(before)) <= 1
        for before, c in zip("\0" + password, password, strict=False)
    )
    return fresh * bits + (len(password) - fresh)
