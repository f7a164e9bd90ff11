"""Service accounts show who they are by tokens, which a server makes on request and recognizes.

A real server remembers for some seconds that it took a token: no case uses one twice around a
change of its account.
"""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from tests.api_server import ApiServer
from tests.contract.granting import grant, rule

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
SELF: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CREDENTIAL: Final = "authentication.kubernetes.io/credential-id"
INVALID: Final = "invalid bearer token"


@pytest.fixture
def account(api, namespace):
    """An account called bob."""
    return make_account(api, namespace)


def make_account(api: ApiServer, namespace: str) -> dict[str, Any]:
    body = {"metadata": {"name": "bob"}}
    answer = api.http.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["metadata"])


def path_of(namespace: str, name: str = "bob") -> str:
    return f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}"


def ask(api: ApiServer, namespace: str, body: object, *, name: str = "bob", **query: str):
    return api.http.post(f"{path_of(namespace, name)}/token", json=body, params=query)


def mint(api: ApiServer, namespace: str, **spec: object) -> str:
    answer = ask(api, namespace, {"spec": spec})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["status"]["token"])


def review(api: ApiServer, token: str, *audiences: str) -> dict[str, Any]:
    spec = {"token": token, **({"audiences": list(audiences)} if audiences else {})}
    answer = api.http.post(REVIEWS, json={"spec": spec})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["status"])


def code_of(api: ApiServer, token: str) -> int:
    with api.client(token) as client:
        return int(client.get("/version").status_code)


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = token.split(".")
    return json.loads(decoded(header)), json.loads(decoded(payload))


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "==")


def encoded(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def seconds(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def test_token_is_given_for_an_empty_request(api, namespace, account):
    time.sleep(1.1)  # past the second in which the account was made
    answer = ask(api, namespace, {})
    assert answer.status_code == 201
    body = answer.json()
    status, metadata = body.pop("status"), body.pop("metadata")
    created = metadata.pop("creationTimestamp")
    metadata.pop("managedFields", None)
    assert body == {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "spec": {"audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": None},
    }
    assert metadata == {"name": "bob", "namespace": namespace, "uid": account["uid"]}
    assert seconds(created) > seconds(account["creationTimestamp"])
    assert set(status) == {"token", "expirationTimestamp"}
    assert seconds(status["expirationTimestamp"]) == seconds(created) + 3600


def test_token_says_whose_it_is_and_until_when(api, namespace, account):
    before = datetime.now(UTC).timestamp()
    header, claims = parts_of(mint(api, namespace, audiences=["a", "b"], expirationSeconds=601))
    assert set(header) == {"alg", "kid"}
    assert claims.pop("iat") == claims.pop("nbf") == pytest.approx(before, abs=5)
    assert claims.pop("exp") == pytest.approx(before + 601, abs=5)
    assert len(claims.pop("jti")) == 36
    assert claims == {
        "aud": ["a", "b"],
        "iss": ISSUER,
        "kubernetes.io": {
            "namespace": namespace,
            "serviceaccount": {"name": "bob", "uid": account["uid"]},
        },
        "sub": f"system:serviceaccount:{namespace}:bob",
    }


@pytest.mark.parametrize(
    "body",
    [
        {"spec": {"audiences": []}},
        {"spec": {"audiences": None, "expirationSeconds": None}},
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"},
        {"status": {"token": "mine"}},
    ],
    ids=["no-audiences", "nulls", "its-kind", "status"],
)
def test_what_is_left_out_is_made_up(api, namespace, account, body):
    answer = ask(api, namespace, body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"]["audiences"] == [ISSUER]
    assert review(api, answer.json()["status"]["token"])["authenticated"] is True


def test_token_is_given_for_yaml_and_in_a_dry_run(api, namespace, account):
    answer = api.http.post(
        f"{path_of(namespace)}/token",
        content="spec:\n  audiences: [x]\n",
        headers={"Content-Type": "application/yaml"},
        params={"dryRun": "All"},
    )
    assert answer.status_code == 201, answer.text
    assert parts_of(answer.json()["status"]["token"])[1]["aud"] == ["x"]


def test_labels_of_the_request_are_shown(api, namespace, account):
    body = {"metadata": {"name": "bob", "namespace": namespace, "labels": {"a": "b"}}}
    assert ask(api, namespace, body).json()["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("lifetime_s", "why"),
    [
        (599, "may not specify a duration less than 10 minutes"),
        (-1, "may not specify a duration less than 10 minutes"),
        (2**32 + 1, "may not specify a duration larger than 2^32 seconds"),
    ],
)
def test_lifetime_is_in_range(api, namespace, account, lifetime_s, why):
    answer = ask(api, namespace, {"spec": {"expirationSeconds": lifetime_s}})
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: '
        f"{lifetime_s}: {why}"
    )


@pytest.mark.parametrize("lifetime_s", [600, 2**32])
def test_lifetime_may_be_at_the_ends_of_its_range(api, namespace, account, lifetime_s):
    token = mint(api, namespace, expirationSeconds=lifetime_s)
    claims = parts_of(token)[1]
    assert claims["exp"] - claims["iat"] == lifetime_s
    assert review(api, token)["authenticated"] is True


def test_account_must_be_there_before_its_lifetime_is_looked_at(api, namespace):
    answer = ask(api, namespace, {"spec": {"expirationSeconds": 1}}, name="nobody")
    assert answer.status_code == 404
    assert answer.json()["message"] == 'serviceaccounts "nobody" not found'


def test_namespace_must_be_there(api):
    answer = ask(api, "no-such-namespace", {})
    assert answer.status_code == 404
    assert answer.json()["message"] == 'namespaces "no-such-namespace" not found'


def test_request_names_the_account_of_its_path(api, namespace, account):
    answer = ask(api, namespace, {"metadata": {"name": "alice"}})
    assert answer.status_code == 422
    assert answer.json()["message"] == (
        'TokenRequest.authentication.k8s.io "bob" is invalid: metadata.name: Invalid value: '
        '"alice": must match the service account name if specified'
    )


def test_request_names_the_namespace_of_its_path(api, namespace, account):
    answer = ask(api, namespace, {"metadata": {"namespace": "other"}})
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "the namespace of the provided object does not match the namespace sent on the request"
    )


def test_request_names_the_uid_of_its_account(api, namespace, account):
    answer = ask(api, namespace, {"metadata": {"uid": "other"}})
    assert answer.status_code == 409
    assert answer.json()["message"] == (
        'Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "bob": the UID in the '
        f"token request (other) does not match the UID of the service account ({account['uid']})"
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            {"apiVersion": "v1", "kind": "Pod"},
            "converting (v1.Pod) to (authentication.TokenRequest): unknown conversion",
        ),
        (
            {"apiVersion": "v1", "kind": "Nothing"},
            'no kind "Nothing" is registered for version "v1" in scheme '
            '"pkg/runtime/scheme.go:110"',
        ),
    ],
    ids=["known", "unknown"],
)
def test_request_is_of_no_other_kind(api, namespace, account, body, why):
    answer = ask(api, namespace, body)
    assert answer.status_code == 400
    kind = body["kind"]
    assert answer.json()["message"] == (
        f'{kind} in version "v1" cannot be handled as a TokenRequest: {why}'
    )


def test_fields_are_of_their_types(api, namespace, account):
    answer = ask(api, namespace, {"spec": {"expirationSeconds": "600"}})
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        'TokenRequest in version "v1" cannot be handled as a TokenRequest: json: cannot unmarshal '
        "string into Go struct field TokenRequestSpec.spec.expirationSeconds of type int64"
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_tokens_are_asked_for_and_nothing_else(api, namespace, account, method):
    answer = api.http.request(method, f"{path_of(namespace)}/token")
    assert answer.status_code == 405


def test_nothing_else_is_created_below_an_object(api, namespace):
    answer = api.http.post(f"/api/v1/namespaces/{namespace}/status", json={})
    assert answer.status_code in (404, 405)
    answer = api.http.post(f"/api/v1/namespaces/{namespace}/services/x/status", json={})
    assert answer.status_code == 405


def test_discovery_names_the_kind_that_is_asked_for(api):
    resources = api.http.get("/api/v1").json()["resources"]
    (found,) = (each for each in resources if each["name"] == "serviceaccounts/token")
    assert found == {
        "name": "serviceaccounts/token",
        "singularName": "",
        "namespaced": True,
        "group": "authentication.k8s.io",
        "version": "v1",
        "kind": "TokenRequest",
        "verbs": ["create"],
    }


def test_account_is_who_its_token_says(api, namespace, account):
    token = mint(api, namespace)
    jti = parts_of(token)[1]["jti"]
    expected = {
        "username": f"system:serviceaccount:{namespace}:bob",
        "uid": account["uid"],
        "groups": [
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        ],
        "extra": {CREDENTIAL: [f"JTI={jti}"]},
    }
    with api.client(token) as client:
        answer = client.post(SELF, json={})
    assert answer.json()["status"]["userInfo"] == expected
    assert review(api, token) == {"authenticated": True, "user": expected, "audiences": [ISSUER]}


def test_account_may_what_its_roles_allow(api, namespace, account):
    subject = {"kind": "ServiceAccount", "name": "bob", "namespace": namespace}
    grant(api, namespace, rule("list", "configmaps"), subject=subject)
    with api.client(mint(api, namespace)) as client:
        place = f"/api/v1/namespaces/{namespace}"
        assert client.get(f"{place}/configmaps").status_code == 200
        refused = client.get(f"{place}/secrets")
    assert refused.status_code == 403
    user = f"system:serviceaccount:{namespace}:bob"
    assert f'User "{user}" cannot list resource "secrets"' in refused.json()["message"]


def test_whoever_asks_for_tokens_needs_the_right_to(api, namespace, account):
    with api.client(mint(api, namespace)) as client:
        path = f"{path_of(namespace)}/token"
        refused = client.post(path, json={})
        assert refused.status_code == 403
        assert refused.json()["message"] == (
            'serviceaccounts "bob" is forbidden: User '
            f'"system:serviceaccount:{namespace}:bob" cannot create resource '
            f'"serviceaccounts/token" in API group "" in the namespace "{namespace}"'
        )


def test_token_for_others_is_none_here(api, namespace, account):
    token = mint(api, namespace, audiences=["a", "b"])
    assert code_of(api, token) == 401
    assert review(api, token) == {
        "user": {},
        "error": f'[{INVALID}, token audiences ["a" "b"] is invalid for the target audiences '
        f'["{ISSUER}"]]',
    }
    assert review(api, token, "b", "x", "a")["audiences"] == ["b", "a"]


def test_token_is_not_for_audiences_that_it_does_not_name(api, namespace, account):
    token = mint(api, namespace)
    assert review(api, token, "x", "y") == {
        "user": {},
        "error": f'[{INVALID}, token audiences ["{ISSUER}"] is invalid for the target audiences '
        '["x" "y"]]',
    }


def test_token_ends_with_its_account(api, namespace, account):
    used, reviewed = mint(api, namespace), mint(api, namespace)
    assert api.http.delete(path_of(namespace)).status_code == 200
    assert code_of(api, used) == 401
    assert review(api, reviewed) == {
        "user": {},
        "error": f'[{INVALID}, serviceaccounts "bob" not found]',
    }


def test_token_is_not_that_of_an_account_made_again(api, namespace, account):
    used, reviewed = mint(api, namespace), mint(api, namespace)
    assert api.http.delete(path_of(namespace)).status_code == 200
    again = make_account(api, namespace)
    assert code_of(api, used) == 401
    assert review(api, reviewed) == {
        "user": {},
        "error": f"[{INVALID}, service account UID ({again['uid']}) does not match claim "
        f"({account['uid']})]",
    }


@pytest.mark.parametrize("token", ["garbage", "a.b.c", "a.e30.c", ".e30."])
def test_what_is_no_token_is_nobodys(api, token):
    assert code_of(api, token) == 401
    assert review(api, token) == {"user": {}, "error": INVALID}


def with_other_payload(token: str) -> str:
    header, payload, signature = token.split(".")
    claims = {**json.loads(decoded(payload)), "sub": "system:admin"}
    return f"{header}.{encoded(claims)}.{signature}"


def with_other_signature(token: str) -> str:
    signed, _, signature = token.rpartition(".")
    raw = decoded(signature)
    return f"{signed}.{encoded(raw[:-1] + bytes([raw[-1] ^ 1]))}"


def without_signature(token: str) -> str:
    _, payload, _ = token.split(".")
    return f"{encoded({'alg': 'none'})}.{payload}."


def by_shared_secret(token: str) -> str:
    header, payload, _ = token.split(".")
    signed = f"{encoded({**json.loads(decoded(header)), 'alg': 'HS256'})}.{payload}"
    return f"{signed}.{encoded(hmac.digest(b'guess', signed.encode(), hashlib.sha256))}"


def with_other_key(token: str) -> str:
    header, payload, signature = token.split(".")
    return f"{encoded({**json.loads(decoded(header)), 'kid': 'other'})}.{payload}.{signature}"


def with_other_issuer(token: str) -> str:
    header, payload, signature = token.split(".")
    claims = {**json.loads(decoded(payload)), "iss": "https://other"}
    return f"{header}.{encoded(claims)}.{signature}"


PRIMITIVE: Final = "go-jose/go-jose: error in cryptographic primitive"


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (with_other_payload, PRIMITIVE),
        (with_other_signature, PRIMITIVE),
        (without_signature, PRIMITIVE),
        (by_shared_secret, PRIMITIVE),
        (with_other_key, "invalid signature, no keys found"),
        (with_other_issuer, ""),
    ],
)
def test_forged_token_is_nobodys(api, namespace, account, forge, why):
    forged = forge(mint(api, namespace))
    assert code_of(api, forged) == 401
    error = f"[{INVALID}, {why}]" if why else INVALID
    assert review(api, forged) == {"user": {}, "error": error}


def test_administrator_is_reviewed_too(api):
    token = api.http.headers["authorization"].removeprefix("Bearer ")
    status = review(api, token)
    assert (status["authenticated"], status["audiences"]) == (True, [ISSUER])
    assert "system:masters" in status["user"]["groups"]
    assert review(api, token, "x") == {"user": {}, "error": INVALID}
    assert review(api, token, "x", ISSUER)["audiences"] == [ISSUER]


@pytest.mark.parametrize("spec", [{}, {"token": ""}], ids=["absent", "empty"])
def test_review_needs_a_token(api, spec):
    answer = api.http.post(REVIEWS, json={"spec": spec})
    assert answer.status_code == 400
    assert answer.json()["message"] == "token is required for TokenReview in authentication"


@pytest.mark.parametrize(
    "header", ["Bearer  {}", "Basic {}", "Token {}", "{}", "Bearer", "Bearer\t{}"]
)
def test_what_shows_no_token_is_anonymous(api, namespace, account, header):
    token = mint(api, namespace)
    with api.client(None, Authorization=header.format(token)) as client:
        answer = client.get(f"/api/v1/namespaces/{namespace}/pods")
    assert answer.status_code == 403
    assert 'User "system:anonymous"' in answer.json()["message"]


@pytest.mark.parametrize("path", ["/api/v1/namespaces/default/pods", "/version", "/healthz"])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_two_spaces_before_a_token_are_warned_about(api, path, scheme):
    with api.client(None, Authorization=f"{scheme}  token") as client:
        answer = client.get(path)
    assert answer.headers["warning"] == (
        '299 - "the provided Authorization header contains extra space before the bearer token, '
        'and is ignored"'
    )


@pytest.mark.parametrize("header", ["Bearer {} more", "bearer {}", "BEARER {}"])
def test_token_is_the_second_word(api, namespace, account, header):
    token = mint(api, namespace)
    with api.client(None, Authorization=header.format(token)) as client:
        answer = client.post(SELF, json={})
    assert "warning" not in answer.headers
    name = answer.json()["status"]["userInfo"]["username"]
    assert name == f"system:serviceaccount:{namespace}:bob"


def test_wrong_token_opens_nothing_that_is_open_without(api):
    with api.client("wrong") as client:
        assert {client.get(path).status_code for path in ("/healthz", "/version", "/api")} == {401}


def test_kubectl_makes_a_token(api, kubectl, namespace, account):
    words = ("create", "token", "bob", "-n", namespace)
    token = kubectl(*words, "--audience=x", "--audience=y", "--duration=15m").strip()
    claims = parts_of(token)[1]
    assert claims["aud"] == ["x", "y"]
    assert claims["exp"] - claims["iat"] == 900
    token = kubectl(*words).strip()
    assert kubectl(
        "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}", f"--token={token}"
    )
