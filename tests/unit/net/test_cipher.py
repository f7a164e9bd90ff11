"""AES-GCM as the keyring wants it."""

import pytest

from ferrolb.net import aes_gcm

NONCE = bytes(range(12))


@pytest.mark.parametrize("size", [16, 24, 32])
def test_sealed_is_opened_and_longer_by_the_tag(size: int) -> None:
    cipher = aes_gcm(bytes(size))
    sealed = cipher.seal(NONCE, b"text", b"aad")
    assert len(sealed) == 4 + 16
    assert cipher.open(NONCE, sealed, b"aad") == b"text"


def test_known_vector() -> None:
    """A datagram that memberlist has encrypted with the key of `AAECAwQFBgcICQoLDA0ODw`."""
    key = bytes.fromhex("41414543417751464267634943516f4c4441304f4477e3b0c44298fc1c149afb")
    sealed = bytes.fromhex(
        "9f08433202b0c25c12e36cc78089abb805b073071cc90676c3068ef6c8243c6d"
        "ce4baa02ccb4c32efe7aeec99da6f6efcd9a8a53ccb335"
    )
    plain = aes_gcm(key).open(NONCE, sealed, b"")
    assert plain is not None
    assert plain.startswith(b"\x03\x83\xa4From\xa6node-a")


@pytest.mark.parametrize("sealed", [b"", bytes(5), bytes(16), bytes(40)])
def test_what_no_one_sealed_is_refused_without_an_exception(sealed: bytes) -> None:
    assert aes_gcm(bytes(32)).open(NONCE, sealed, b"") is None


def test_another_key_or_another_text_around_is_refused() -> None:
    sealed = aes_gcm(bytes(32)).seal(NONCE, b"text", b"aad")
    assert aes_gcm(bytes([1]) * 32).open(NONCE, sealed, b"aad") is None
    assert aes_gcm(bytes(32)).open(NONCE, sealed, b"") is None
