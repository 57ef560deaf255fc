"""SOCKS5: how a program asks a proxy to connect for it, and how sslocal is asked.

``messages``  the numbers of the protocol by their names in RFC 1928 and RFC 1929
``server``    ``ServerHandshake``: from the greeting to one request, and its reply
``client``    ``ClientHandshake``: the other side of the same conversation
``udp``       the header in front of every relayed datagram
``replies``   which reply tells a client about which error

The words: a client *greets* with the methods it knows, may *authenticate*, then sends one *request*
(a command and an address) and gets one *reply*. ``dst`` is the address asked for, ``bound`` the
address that the proxy answers with.

The rule: no socket and no waiting here. The cores are ``wire.core.HandshakeCore``; where they stop
reading, the tunnel begins.
"""

__all__: list[str] = []
