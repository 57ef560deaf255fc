"""Keys and boxes: from a password to octets that only its holders can read.

``methods``  the one table of cipher methods; a new method is a row
``kdf``      password to key, key and salt to session subkey
``aead``     one interface over AES-GCM, ChaCha20-Poly1305 and XChaCha20-Poly1305

The primitives are the ``cryptography`` package's; nothing here computes a cipher by itself.
"""

__all__: list[str] = []
