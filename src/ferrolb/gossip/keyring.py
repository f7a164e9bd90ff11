"""Keys: derivation from the secret, sealing and opening (memberlist's encryption versions 0, 1)."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ferrolb.gossip.constants import DropReason
from ferrolb.gossip.errors import KeyringError, MalformedError

KEY_BYTES: Final = 32
"""AES-256, as MetalLB since v0.14."""

KEY_SIZES: Final = (16, 24, 32)

NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
BLOCK_BYTES: Final = 16
"""What the plain text of version 0 is padded to (PKCS #7)."""

OVERHEAD_BYTES: Final = 1 + NONCE_BYTES + TAG_BYTES
"""What sealing adds in version 1: version, nonce, tag."""

_PADDED: Final = 0
_UNPADDED: Final = 1


class Aead(Protocol):
    """AES-GCM with one key; an adapter of the caller's, for this room knows no crypto library."""

    def seal(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        """Return cipher text and tag of `data`."""

    def open(self, nonce: bytes, data: bytes, aad: bytes) -> bytes | None:
        """Return the plain text of cipher text and tag; None, never an exception, if refused."""


def derive_key(secret: bytes) -> bytes:
    """Return the key that MetalLB's speakers make of the content of the secret's file.

    It is the start of the content followed by a constant (the SHA-256 of nothing): the strength
    of the key is the strength of the secret. Fixed by compatibility.

    Raises:
        KeyringError: the secret is empty, and the key would be the constant.
    """
    if not secret:
        raise KeyringError("the secret is empty")
    return (secret + hashlib.sha256().digest())[:KEY_BYTES]


class Keyring:
    """The keys of a cluster: the first seals, all of them open."""

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        aead: Callable[[bytes], Aead],
        nonce: Callable[[], bytes],
    ) -> None:
        """Make a keyring; `nonce` returns 12 random bytes, never the same.

        Raises:
            KeyringError: no key, or one that is not 16, 24 or 32 bytes long.
        """
        if not keys:
            raise KeyringError("no key")
        for key in keys:
            if len(key) not in KEY_SIZES:
                raise KeyringError(f"a key has {len(key)} bytes, not 16, 24 or 32")
        self._aeads = tuple(aead(key) for key in keys)
        self._nonce = nonce

    def seal(self, data: bytes, aad: bytes) -> bytes:
        """Encrypt with the first key, as version 1: `OVERHEAD_BYTES` longer than `data`."""
        nonce = self._nonce()
        return bytes([_UNPADDED]) + nonce + self._aeads[0].seal(nonce, data, aad)

    def open(self, data: bytes, aad: bytes) -> bytes:
        """Decrypt with whichever key fits.

        Raises:
            MalformedError: none does, or it is not sealed at all.
        """
        if len(data) < OVERHEAD_BYTES or data[0] not in (_PADDED, _UNPADDED):
            raise MalformedError(DropReason.PLAINTEXT, "not encrypted")
        nonce, sealed = data[1 : 1 + NONCE_BYTES], data[1 + NONCE_BYTES :]
        for aead in self._aeads:
            plain = aead.open(nonce, sealed, aad)
            if plain is not None:
                return _unpadded(plain) if data[0] == _PADDED else plain
        raise MalformedError(DropReason.UNDECRYPTABLE, "no key fits")


def _unpadded(plain: bytes) -> bytes:
    size = plain[-1] if plain else 0
    if not 1 <= size <= BLOCK_BYTES or plain[-size:] != bytes([size]) * size:
        raise MalformedError(DropReason.MALFORMED, "bad padding")
    return plain[:-size]
