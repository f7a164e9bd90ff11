import pytest
from tests.gossip_network import AesGcm, keyring_of

from ferrolb.gossip import DropReason, Keyring, KeyringError, derive_key
from ferrolb.gossip.errors import MalformedError

OLD, NEW = derive_key(b"old"), derive_key(b"new")
NONCE = bytes(12)


def refusal(ring: Keyring, data: bytes, aad: bytes = b"") -> DropReason:
    with pytest.raises(MalformedError) as caught:
        ring.open(data, aad)
    return caught.value.reason


def test_the_first_key_seals_and_all_open():
    assert keyring_of(NEW, OLD).open(keyring_of(OLD).seal(b"x", b"a"), b"a") == b"x"
    assert refusal(keyring_of(OLD), keyring_of(NEW, OLD).seal(b"x", b"")) == "undecryptable"


def test_what_is_authenticated_beside_must_be_the_same():
    assert refusal(keyring_of(OLD), keyring_of(OLD).seal(b"x", b"a"), b"b") == "undecryptable"


def test_version_0_is_opened_without_its_padding():
    for plain, padding in ((b"", 16), (b"abc", 13), (b"a" * 15, 1)):
        sealed = AesGcm(OLD).seal(NONCE, plain + bytes([padding]) * padding, b"")
        assert keyring_of(OLD).open(b"\0" + NONCE + sealed, b"") == plain


@pytest.mark.parametrize("padded", [b"", b"abc\0", b"abc\x11" + b"\x11" * 16, b"ab\1\2"])
def test_bad_padding_is_malformed(padded):
    sealed = AesGcm(OLD).seal(NONCE, padded, b"")
    assert refusal(keyring_of(OLD), b"\0" + NONCE + sealed) == "malformed"


@pytest.mark.parametrize("data", [b"", bytes(28), b"\x02" + bytes(60)])
def test_what_cannot_be_encrypted_is_plain(data):
    assert refusal(keyring_of(OLD), data) == "plaintext"


def test_keys_are_checked():
    with pytest.raises(KeyringError, match="no key"):
        keyring_of()
    with pytest.raises(KeyringError, match="5 bytes"):
        keyring_of(b"short")
    with pytest.raises(KeyringError, match="empty"):
        derive_key(b"")
