"""Tokens of accounts: whose they are, and what does not pass for one."""

import base64
import hashlib
import hmac
import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ferrolb.devserver.account_tokens import (
    DEFAULT_AUDIENCES,
    ISSUER,
    KEY_FILE,
    MAX_TOKEN,
    Account,
    AccountTokens,
    key_id,
    load_or_make_key,
)
from ferrolb.devserver.authentication import (
    ADMINISTRATOR,
    Authenticator,
    Recognized,
    Unrecognized,
)
from ferrolb.devserver.options import DevServerOptions
from ferrolb.devserver.server import make_cluster

NOW = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOB = Account(namespace="apps", name="bob", uid="uid-1")
WRONG_SIGNATURE = Unrecognized("go-jose/go-jose: error in cryptographic primitive")
NOT_A_TOKEN = Unrecognized()
EXPIRED = Unrecognized("service account token has expired")


class World:
    """A server's key, its accounts and its clock."""

    def __init__(self, key=None):
        self.key = key or load_or_make_key(None)
        self.uids = {("apps", "bob"): "uid-1"}
        self.now = NOW
        self.tokens = AccountTokens(
            self.key,
            uid_of=lambda namespace, name: self.uids.get((namespace, name)),
            now=lambda: self.now,
        )

    def mint(self, *audiences):
        return self.tokens.mint(BOB, audiences or DEFAULT_AUDIENCES, end=self.now + HOUR)

    def recognize(self, token, *audiences):
        return self.tokens.recognize(token, audiences)

    def signed(self, claims, header=None):
        """Return a token with any claims, signed as by the server."""
        parts = [
            encoded(header or {"alg": "ES256", "kid": key_id(self.key.public_key())}),
            encoded(claims),
        ]
        text = ".".join(parts)
        der = self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        raw = b"".join(number.to_bytes(32) for number in decode_dss_signature(der))
        return f"{text}.{encoded(raw)}"


@pytest.fixture
def world():
    return World()


def encoded(content):
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part):
    return base64.urlsafe_b64decode(part + "==")


def claims_of(token):
    return json.loads(decoded(token.split(".")[1]))


def test_token_is_its_accounts(world):
    token = world.mint()
    found = world.recognize(token)
    assert isinstance(found, Recognized)
    assert found.audiences == DEFAULT_AUDIENCES
    assert (found.user.name, found.user.uid) == ("system:serviceaccount:apps:bob", "uid-1")
    assert found.user.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:apps",
        "system:authenticated",
    )
    jti = claims_of(token)["jti"]
    assert found.user.extra == (("authentication.kubernetes.io/credential-id", (f"JTI={jti}",)),)


def test_no_two_tokens_are_the_same(world):
    assert claims_of(world.mint())["jti"] != claims_of(world.mint())["jti"]


def test_audiences_are_those_of_both_in_the_order_in_which_they_are_asked_for(world):
    token = world.mint("a", "b")
    found = world.recognize(token, "b", "c", "a")
    assert isinstance(found, Recognized)
    assert found.audiences == ("b", "a")


@pytest.mark.parametrize(
    ("minted", "asked", "why"),
    [
        (("a", "b"), (), f'["a" "b"] is invalid for the target audiences ["{ISSUER}"]'),
        ((), ("x",), f'["{ISSUER}"] is invalid for the target audiences ["x"]'),
    ],
)
def test_token_for_others_is_nobodys(world, minted, asked, why):
    found = world.recognize(world.mint(*minted), *asked)
    assert found == Unrecognized(f"token audiences {why}")


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (timedelta(0), None),
        (HOUR + timedelta(seconds=59), None),
        (HOUR + timedelta(seconds=61), EXPIRED),
        (timedelta(days=400), EXPIRED),
        (timedelta(seconds=-59), None),
        (timedelta(seconds=-62), Unrecognized("service account token is not valid yet")),
    ],
)
def test_token_is_good_from_its_beginning_to_its_end_give_or_take_a_minute(world, later, expected):
    token = world.mint()
    world.now += later
    found = world.recognize(token)
    assert found == expected if expected else isinstance(found, Recognized)


def test_token_from_the_future_is_nobodys(world):
    claims = {**claims_of(world.mint()), "iat": int(NOW.timestamp()) + 120}
    found = world.recognize(world.signed(claims))
    assert found == Unrecognized("service account token is issued in the future")


def test_token_ends_with_its_account(world):
    token = world.mint()
    world.uids.clear()
    assert world.recognize(token) == Unrecognized('serviceaccounts "bob" not found')
    world.uids["apps", "bob"] = "uid-2"
    assert world.recognize(token) == Unrecognized(
        "service account UID (uid-2) does not match claim (uid-1)"
    )


@pytest.mark.parametrize("member", ["aud", "exp", "iss", "jti", "kubernetes.io", "nbf", "sub"])
def test_each_claim_is_signed(world, member):
    header, payload, signature = world.mint().split(".")
    claims = json.loads(decoded(payload))
    before = claims[member]
    claims[member] = before + 1 if isinstance(before, int) else "other"
    expected = NOT_A_TOKEN if member == "iss" else WRONG_SIGNATURE
    assert world.recognize(f"{header}.{encoded(claims)}.{signature}") == expected


@pytest.mark.parametrize("position", [0, 31, 32, 63])
def test_each_byte_of_the_signature_counts(world, position):
    signed, _, signature = world.mint().rpartition(".")
    raw = bytearray(decoded(signature))
    raw[position] ^= 1
    assert world.recognize(f"{signed}.{encoded(bytes(raw))}") == WRONG_SIGNATURE


@pytest.mark.parametrize("raw", [b"", bytes(64), bytes([255]) * 64, bytes(63), bytes(65)])
def test_signature_is_one(world, raw):
    signed = world.mint().rpartition(".")[0]
    assert world.recognize(f"{signed}.{encoded(raw)}") == WRONG_SIGNATURE


def test_signature_is_written_in_one_way_only(world):
    token = world.mint()
    signed, _, signature = token.rpartition(".")
    raw = decoded(signature)
    assert world.recognize(f"{signed}.{encoded(raw[:32] + bytes(1) + raw[32:])}") == WRONG_SIGNATURE
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    assert decoded(other.rpartition(".")[2]) == decoded(token.rpartition(".")[2])
    assert world.recognize(other) == NOT_A_TOKEN


@pytest.mark.parametrize("algorithm", ["none", "None", "", "RS256", "ES384", "es256"])
def test_algorithm_is_the_servers_choice(world, algorithm):
    header, payload, signature = world.mint().split(".")
    changed = encoded({**json.loads(decoded(header)), "alg": algorithm})
    assert world.recognize(f"{changed}.{payload}.") == WRONG_SIGNATURE
    assert world.recognize(f"{changed}.{payload}.{signature}") == WRONG_SIGNATURE
    # even where the signature itself is right
    claims = json.loads(decoded(payload))
    assert world.recognize(world.signed(claims, {"alg": algorithm})) == WRONG_SIGNATURE


@pytest.mark.parametrize(
    "form",
    [
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint),
    ],
)
def test_public_key_is_no_shared_secret(world, form):
    payload = world.mint().split(".")[1]
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{payload}"
    secret = world.key.public_key().public_bytes(*form)
    signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
    assert world.recognize(f"{signed}.{encoded(signature)}") == WRONG_SIGNATURE
    assert world.recognize(f"{signed}.{encoded(signature * 2)}") == WRONG_SIGNATURE


def test_header_without_a_key_is_tried_and_with_another_refused(world):
    claims = claims_of(world.mint())
    assert isinstance(world.recognize(world.signed(claims, {"alg": "ES256"})), Recognized)
    found = world.recognize(world.signed(claims, {"alg": "ES256", "kid": "other"}))
    assert found == Unrecognized("invalid signature, no keys found")


def test_token_of_another_server_is_nobodys(world):
    claims = claims_of(world.mint())
    foreign = World()
    assert world.recognize(foreign.mint()) == Unrecognized("invalid signature, no keys found")
    assert world.recognize(foreign.signed(claims, {"alg": "ES256"})) == WRONG_SIGNATURE


@pytest.mark.parametrize(
    "change", [{"exp": "soon"}, {"aud": None}, {"kubernetes.io": {}}, {"sub": 1}]
)
def test_signed_claims_are_read_with_care(world, change):
    claims = {**claims_of(world.mint()), **change}
    assert world.recognize(world.signed(claims)) == NOT_A_TOKEN


@pytest.mark.parametrize(
    "token",
    [
        "",
        "token",
        "a.b",
        "a.b.c",
        "..",
        "a.b.c.d",
        f"e30.{encoded({'iss': 'https://other'})}.AA",
        f"e30.{encoded([])}.AA",
        f"e30.{encoded(b'[' * 6000)}.AA",
        f"e30.{encoded(bytes([255, 254]))}.AA",
        f"e30.{encoded({'iss': ISSUER})}=.AA",
        f"e30.{encoded({'iss': ISSUER})}.A A",
        f"e30.{encoded({'iss': ISSUER})}.\u00c0\u00c1",
        f"e30.{encoded({'iss': ISSUER})}.A",
        "r\udcffght",
    ],
)
def test_what_is_no_token_is_nobodys(world, token):
    assert world.recognize(token) == NOT_A_TOKEN


@pytest.mark.parametrize("header", [b"{}", b"[]", b"nothing", b'{"alg":1}'])
def test_header_says_an_algorithm(world, header):
    _, payload, signature = world.mint().split(".")
    assert world.recognize(f"{encoded(header)}.{payload}.{signature}") == WRONG_SIGNATURE


def test_token_beyond_the_limit_is_not_looked_at(world):
    longest = world.mint(ISSUER, "x" * 11_780)
    assert MAX_TOKEN - 100 < len(longest) <= MAX_TOKEN
    assert isinstance(world.recognize(longest), Recognized)
    assert world.recognize(world.mint(ISSUER, "x" * 12_000)) == NOT_A_TOKEN
    assert world.recognize("x" * 50_000_000) == NOT_A_TOKEN


def test_authenticator_knows_the_administrator_and_accounts(world):
    authenticator = Authenticator(
        "right", recognize=world.tokens.recognize, audiences=DEFAULT_AUDIENCES
    )
    user = authenticator.identify({"authorization": f"Bearer {world.mint()}"})
    assert user.name == "system:serviceaccount:apps:bob"
    assert authenticator.user_of("right") == ADMINISTRATOR
    assert authenticator.user_of("wrong") is None
    assert authenticator.user_of(world.mint("x")) is None
    assert authenticator.review("right", ["x"]) == NOT_A_TOKEN
    assert authenticator.review("right") == Recognized(ADMINISTRATOR, DEFAULT_AUDIENCES)


def test_key_is_kept_and_is_its_owners_alone(tmp_path):
    key = load_or_make_key(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    again = World(load_or_make_key(tmp_path))
    assert isinstance(again.recognize(World(key).mint()), Recognized)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize("content", [b"", b"nothing", pem(ec.generate_private_key(ec.SECP384R1()))])
def test_what_is_no_key_is_replaced(tmp_path, content):
    (tmp_path / KEY_FILE).write_bytes(content)
    key = load_or_make_key(tmp_path)
    assert isinstance(key.curve, ec.SECP256R1)
    assert pem(load_or_make_key(tmp_path)) == pem(key)


def test_cluster_with_a_directory_knows_its_tokens_after_a_restart(tmp_path):
    def minted_in(options):
        tokens = make_cluster(options, "token").account_tokens
        return tokens.mint(BOB, DEFAULT_AUDIENCES, end=datetime.now(UTC) + HOUR)

    kept = DevServerOptions(data_dir=tmp_path)
    again = make_cluster(kept, "token").authenticator
    # the key is right, and only the account is missing in a store with nothing in it
    assert again.review(minted_in(kept)) == Unrecognized('serviceaccounts "bob" not found')
    found = make_cluster(DevServerOptions(), "token").authenticator.review(
        minted_in(DevServerOptions())
    )
    assert found == Unrecognized("invalid signature, no keys found")
