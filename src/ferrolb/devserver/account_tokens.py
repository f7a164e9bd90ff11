"""Tokens of service accounts: JSON Web Tokens, signed by the server and for nobody else to read.

RFC 7519 (JWT) in compact form (RFC 7515), ES256 only: what a token says of its algorithm is checked
and never followed.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from ferrolb.apimachinery import User
from ferrolb.devserver.accounts import account_groups, account_user_name
from ferrolb.devserver.authentication import AUTHENTICATED, Recognized, Unrecognized
from ferrolb.model import quote
from ferrolb.pki import write_private

KEY_FILE: Final = "service-accounts.key"
"""Where the data directory keeps the key that signs."""

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
"""Who signs, and whom a token is for unless it says otherwise: this server, as on other clusters
with the usual domain."""

DEFAULT_AUDIENCES: Final = (ISSUER,)

MAX_TOKEN: Final = 16 * 1024
"""Characters of a token, looked at before anything is decoded; one for the server has 900."""

LEEWAY: Final = timedelta(minutes=1)
"""How far the clocks of who signs and who checks may be apart, as the API has it."""

CREDENTIAL_ID: Final = "authentication.kubernetes.io/credential-id"
"""The extra that tells the tokens of one account apart."""

ALGORITHM: Final = "ES256"

_NUMBER_BYTES: Final = 32
"""Bytes of each of the two numbers of a signature with P-256 (RFC 7518 section 3.4)."""

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

_WRONG_SIGNATURE: Final = "go-jose/go-jose: error in cryptographic primitive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A service account; one made again under the same name has another uid."""

    namespace: str
    name: str
    uid: str


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    alg: str
    kid: str = ""


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    uid: str


class _Private(msgspec.Struct, frozen=True, kw_only=True):
    namespace: str
    serviceaccount: _Named


class _Issued(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a token before its signature."""

    iss: str = ""


class _Claims(
    msgspec.Struct, frozen=True, kw_only=True, rename={"kubernetes": "kubernetes.io"}.get
):
    aud: tuple[str, ...]
    exp: int
    iat: int
    iss: str
    jti: str
    kubernetes: _Private
    nbf: int
    sub: str


class AccountTokens:
    """Makes tokens for accounts, and tells whose a token is."""

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        *,
        uid_of: Callable[[str, str], str | None],
        now: Callable[[], datetime],
    ) -> None:
        """Sign and check with one key; `uid_of` gives the uid of a namespace's account by name."""
        self._key = key
        self._key_id = key_id(key.public_key())
        self._uid_of = uid_of
        self._now = now

    def mint(self, account: Account, audiences: Sequence[str], *, end: datetime) -> str:
        """Return a new token of an account for its audiences, good until its end."""
        now = int(self._now().timestamp())
        claims = _Claims(
            aud=tuple(audiences),
            exp=int(end.timestamp()),
            iat=now,
            iss=ISSUER,
            jti=str(uuid4()),
            kubernetes=_Private(
                namespace=account.namespace,
                serviceaccount=_Named(name=account.name, uid=account.uid),
            ),
            nbf=now,
            sub=account_user_name(account.namespace, account.name),
        )
        header = _encode_part(msgspec.json.encode(_Header(alg=ALGORITHM, kid=self._key_id)))
        signed = f"{header}.{_encode_part(msgspec.json.encode(claims))}"
        der = self._key.sign(signed.encode("ascii"), ec.ECDSA(hashes.SHA256()))
        numbers = (number.to_bytes(_NUMBER_BYTES) for number in decode_dss_signature(der))
        return f"{signed}.{_encode_part(b''.join(numbers))}"

    def recognize(self, token: str, audiences: Sequence[str] = ()) -> Recognized | Unrecognized:
        """Return whose token it is, if it is for one of the audiences; none: for this server."""
        parts = _split(token)
        if parts is None:
            return Unrecognized()
        header, payload, signature = parts
        issued = _decode(payload, _Issued)
        if issued is None or issued.iss != ISSUER:
            return Unrecognized()
        problem = self._signature_problem(token, header, signature)
        if problem:
            return Unrecognized(problem)
        claims = _decode(payload, _Claims)
        if claims is None:
            return Unrecognized()
        wanted = tuple(audiences) or DEFAULT_AUDIENCES
        met = tuple(each for each in wanted if each in claims.aud)
        if not met:
            return Unrecognized(
                f"token audiences {_listed(claims.aud)} is invalid for the target audiences "
                f"{_listed(wanted)}"
            )
        problem = self._time_problem(claims) or self._account_problem(claims.kubernetes)
        return Unrecognized(problem) if problem else Recognized(_user(claims), met)

    def _signature_problem(self, token: str, encoded_header: bytes, signature: bytes) -> str:
        header = _decode(encoded_header, _Header)
        if header is None or header.alg != ALGORITHM:
            return _WRONG_SIGNATURE
        if header.kid not in ("", self._key_id):
            return "invalid signature, no keys found"
        if len(signature) != 2 * _NUMBER_BYTES:
            return _WRONG_SIGNATURE
        first, second = signature[:_NUMBER_BYTES], signature[_NUMBER_BYTES:]
        der = encode_dss_signature(int.from_bytes(first), int.from_bytes(second))
        signed = token.rpartition(".")[0].encode("ascii")
        try:
            self._key.public_key().verify(der, signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return _WRONG_SIGNATURE
        return ""

    def _time_problem(self, claims: _Claims) -> str:
        now = self._now()
        early, late = (now + LEEWAY).timestamp(), (now - LEEWAY).timestamp()
        if early < claims.nbf:
            return "service account token is not valid yet"
        if late > claims.exp:
            return "service account token has expired"
        if early < claims.iat:
            return "service account token is issued in the future"
        return ""

    def _account_problem(self, private: _Private) -> str:
        claimed = private.serviceaccount
        uid = self._uid_of(private.namespace, claimed.name)
        if uid is None:
            return f"serviceaccounts {quote(claimed.name)} not found"
        if uid != claimed.uid:
            return f"service account UID ({uid}) does not match claim ({claimed.uid})"
        return ""


def key_id(key: ec.EllipticCurvePublicKey) -> str:
    """Return the name of a key in the headers of tokens."""
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return _encode_part(hashlib.sha256(encoded).digest())


def load_or_make_key(directory: Path | None) -> ec.EllipticCurvePrivateKey:
    """Return the signing key kept in a directory, a new one if that is none; None keeps nothing."""
    kept = None if directory is None else directory / KEY_FILE
    found = None if kept is None else _load_key(kept)
    if found is not None:
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    if kept is not None:
        write_private(kept, _pem(key))
    return key


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    is_ours = isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)
    return key if is_ours and isinstance(key, ec.EllipticCurvePrivateKey) else None


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _user(claims: _Claims) -> User:
    return User(
        name=claims.sub,
        uid=claims.kubernetes.serviceaccount.uid,
        groups=(*account_groups(claims.kubernetes.namespace), AUTHENTICATED),
        extra=((CREDENTIAL_ID, (f"JTI={claims.jti}",)),),
    )


def _listed(audiences: Sequence[str]) -> str:
    return f"[{' '.join(quote(each) for each in audiences)}]"


def _split(token: str) -> tuple[bytes, bytes, bytes] | None:
    """Return what a token's parts hold; None: it is no JWT."""
    if len(token) > MAX_TOKEN:
        return None
    parts = token.split(".")
    if len(parts) != 3 or not all(map(_is_part, parts[:2])):
        return None
    decoded = [_decode_part(part) for part in parts]
    header, payload, signature = decoded
    if header is None or payload is None or signature is None:
        return None
    return header, payload, signature


def _is_part(part: str) -> bool:
    return _BASE64URL.fullmatch(part) is not None


def _encode_part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _decode_part(part: str) -> bytes | None:
    """Return what a part holds; None: it is no base64url, or not the shortest form of it."""
    if part and not _is_part(part):
        return None
    try:
        content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return None
    return content if _encode_part(content) == part else None


S = TypeVar("S", bound=msgspec.Struct)


def _decode(content: bytes, kind: type[S]) -> S | None:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
