"""AES-GCM for the gossip's keyring."""

import importlib
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from ferrolb.gossip import Aead


class _Cipher(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...


def aes_gcm(key: bytes) -> "Aead":
    """Return AES-GCM with a key of 16, 24 or 32 bytes.

    The library is loaded here: a speaker without a key does without its 6 MB.
    """
    primitives = "cryptography.hazmat.primitives.ciphers.aead"
    refused = importlib.import_module("cryptography.exceptions").InvalidTag
    cipher = cast("_Cipher", importlib.import_module(primitives).AESGCM(key))
    return _AesGcm(cipher, refused)


class _AesGcm:
    """One key."""

    def __init__(self, cipher: _Cipher, refused: type[Exception]) -> None:
        self._cipher = cipher
        self._refused = refused

    def seal(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        """Return cipher text and tag."""
        return self._cipher.encrypt(nonce, data, aad)

    def open(self, nonce: bytes, data: bytes, aad: bytes) -> bytes | None:
        """Return the plain text; None if the tag does not fit, or there is none."""
        try:
            return self._cipher.decrypt(nonce, data, aad)
        except self._refused:
            return None
