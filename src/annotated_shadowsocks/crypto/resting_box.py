"""A box that rests while its stream does.

A box of ChaCha20-Poly1305 has 2.2 KiB, of which OpenSSL's two contexts are nearly all, and a
relayed connection has two boxes in every hop. Most connections are idle most of the time, and then
that is most of what they own. To make a box from its key costs little more than a microsecond, so
only those that were made last are kept. [bench __main__]

Rejected: the order of last use instead of that of making. It costs each read of a busy stream what
it saves the next one of a stream that was idle.
"""

import weakref
from collections import deque
from collections.abc import Callable

from .aead import Aead, AeadFactory

__all__ = ["AWAKE", "RestingBox"]

#: Boxes of this process that are kept: as many as the streams that are busy at the same moment.
AWAKE = 1024

_awake: "deque[weakref.ref[RestingBox]]" = deque()


class RestingBox:
    """An ``Aead`` of ``key`` that is there when it is asked for."""

    __slots__ = ("__weakref__", "_box", "_key", "_make")

    def __init__(self, make: AeadFactory, key: bytes) -> None:
        self._make = make
        self._key = key
        self._box: Aead | None = None

    @property
    def encrypt_into(self) -> Callable[..., int]:
        """See ``Aead``. What is returned stays good, so whoever seals many boxes asks once."""
        return (self._box or self._wake()).encrypt_into

    @property
    def decrypt_into(self) -> Callable[..., int]:
        """See ``encrypt_into``."""
        return (self._box or self._wake()).decrypt_into

    def _wake(self) -> Aead:
        box = self._box = self._make(self._key)
        if len(_awake) >= AWAKE:
            oldest = _awake.popleft()()
            if oldest is not None:
                oldest._box = None
        _awake.append(weakref.ref(self))
        return box
