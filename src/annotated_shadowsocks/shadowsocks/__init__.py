"""The Shadowsocks protocols, as cores that know neither sockets nor clocks.

``key``          the long-lived secret of a server, and the boxes made from it
``aead_stream``  SIP004 chunks: one direction of a connection
``handshake``    how a SIP004 stream begins, on either side
``aead_packet``  SIP004 packets
``replay``       which salts were seen before
``uri``          a server as a SIP002 URL

A *salt* opens each stream and each packet, and with the key makes a *session subkey*; a *nonce*
counts the boxes sealed under it; a *chunk* is a length and a payload, each in a box of its own.
"""

__all__: list[str] = []
