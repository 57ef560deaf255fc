"""Keys and boxes: from a password to octets that only its holders can read.

``methods``        the one table of cipher methods; a new method is a row
``kdf``            password to key, key and salt to session subkey
``aead``           one interface over AES-GCM, ChaCha20-Poly1305 and XChaCha20-Poly1305
``blake3``         the hash and the key derivation of AEAD-2022
``aes_block``      single blocks, for the headers of AEAD-2022 that never repeat
``stream_cipher``  the ciphers from before there was authentication

The primitives are the ``cryptography`` package's. What it lacks is computed here only where that is
short and never slow: BLAKE3 of a key, XChaCha20's subkey, and a permutation of octets.
"""

__all__: list[str] = []
