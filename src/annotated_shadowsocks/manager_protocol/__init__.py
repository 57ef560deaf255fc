"""The manager protocol: ports of a server come and go by datagrams.

``requests``  ``add: {…}``, ``remove: {…}``, ``list``, ``ping`` and ``stat: {…}``
``answers``   what is said to them, in the words of two peers

Nothing specifies it. shadowsocks-libev's ``ss-manager`` has it from the Python original, and
shadowsocks-rust's ``ssmanager`` from there; where the two differ, a client of either has to find
what it expects, which is what a ``Dialect`` is for.

The rule: no socket here, and nothing that knows whether a port is free.
"""

__all__: list[str] = []
