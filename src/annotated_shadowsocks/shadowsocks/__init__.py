"""The Shadowsocks protocols, as cores that know neither sockets nor clocks.

``credentials``      the keys of a port, whatever the generation
``tunnel``           a stream of any generation, on either side

``key``              the secret of a server of SIP004, and the boxes made from it
``handshake``        how a stream of SIP004 begins
``aead_stream``      its chunks: one direction of a connection
``aead_packet``      its packets

``psk``, ``identity``  the keys of SIP022, and the headers of SIP023 that name them
``aead2022_...``     its handshake, streams, packets and sessions
``stream_cipher_...``  streams and packets of what came before SIP004

``replay``           which salts were seen before
``timestamp``        how old a message of SIP022 may be
``password``         how hard a password is to guess
``uri``              a server as a SIP002 URL

A *salt* opens each stream and each packet, and with the key makes a *session subkey*; a *nonce*
counts the boxes sealed under it; a *chunk* is a length and a payload, each in a box of its own.
"""

__all__: list[str] = []
