import base64
import ssl
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ferrolb.kube import ConfigError, load_access

HIDDEN = "s3cr3t"


def document(server="https://127.0.0.1:6443", cluster=None, user=None, context=None, name="c"):
    return {
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": name, "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **(context or {})}}],
    }


@pytest.fixture
def write(tmp_path):
    def write(content, name="config"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def account(tmp_path):
    directory = tmp_path / "account"
    directory.mkdir()
    for name, content in (("token", HIDDEN), ("namespace", "metallb-system"), ("ca.crt", "")):
        (directory / name).write_text(content)
    return directory


@pytest.fixture(scope="module")
def pair():
    """A self-signed certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(pem), private


def data(content: bytes) -> str:
    return base64.b64encode(content).decode()


def tls(path) -> ssl.SSLContext:
    context = load_access(path, environ={}).tls
    assert context is not None
    return context


def bearer(access):
    request = httpx2.Request("GET", "http://x")
    next(access.auth.auth_flow(request))
    return request.headers["authorization"]


def test_the_order_is_argument_then_variable_then_account(write, account, monkeypatch, pair):
    (account / "ca.crt").write_bytes(pair[0])
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    first = write(document("http://one"), "one")
    environ["KUBECONFIG"] = str(write(document("http://two"), "two"))

    def server(path, variables):
        return load_access(path, environ=variables, service_account=account).server

    assert server(first, environ) == "http://one"
    assert server(None, environ) == "http://two"
    assert server(None, {**environ, "KUBECONFIG": ""}) == "https://10.0.0.1:443"


def test_account_brings_token_and_namespace(account, monkeypatch, pair):
    (account / "ca.crt").write_bytes(pair[0])
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    access = load_access(None, environ=environ, service_account=account)
    assert access.server == "https://[fd00::1]:443"
    assert access.namespace == "metallb-system"
    assert bearer(access) == f"Bearer {HIDDEN}"
    assert HIDDEN not in repr(access)


def test_nothing_at_all_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="give --kubeconfig, set"):
        load_access(None, environ={}, service_account=tmp_path)


def test_variables_of_a_pod_without_an_account_are_not_enough(tmp_path):
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    with pytest.raises(ConfigError, match="no cluster configuration"):
        load_access(None, environ=environ, service_account=tmp_path)


def test_account_that_is_not_whole_is_an_error(account, monkeypatch):
    (account / "namespace").unlink()
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    with pytest.raises(ConfigError, match="in-cluster account"):
        load_access(None, environ=environ, service_account=account)


def test_several_files_are_merged_and_the_first_to_name_something_wins(write, tmp_path):
    one = write({"contexts": document(name="b")["contexts"], "current-context": "b"}, "one")
    two = write(document("http://two", name="b", context={"namespace": "ignored"}), "two")
    three = write(document("http://three", name="b", user={"token": HIDDEN}), "three")
    variable = f"{tmp_path / 'absent'}:{one}:{two}:{three}"
    access = load_access(None, environ={"KUBECONFIG": variable})
    assert (access.server, access.namespace) == ("http://two", "")


def test_absent_file_is_named(tmp_path):
    path = tmp_path / "absent"
    with pytest.raises(ConfigError, match=f"{path}: No such file"):
        load_access(path, environ={})
    with pytest.raises(ConfigError, match=f"{path}: No such file"):
        load_access(None, environ={"KUBECONFIG": str(path)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a mapping"),
        ("- 1", "not a mapping"),
        (f"users:\n  - token: {HIDDEN}: x", "not YAML in line 2"),
        ("\x00", "not YAML"),
        ({}, "No current context"),
        ({"current-context": "x"}, "Context 'x' not found"),
        ({**document(), "clusters": 7}, "'c' is missing"),
        ({**document(), "users": [7, None]}, "'c' is missing"),
        ({**document(), "clusters": [{"name": "c"}]}, "'cluster' is missing"),
        ({**document(), "contexts": [{"name": "c", "context": {}}]}, "missing required field"),
        (document(user={"token": [HIDDEN]}), "Expected `str | null`"),
        (document("ftp://x"), "not an http or https address"),
        (document("x:6443"), "not an http or https address"),
        (document(cluster={"certificate-authority-data": HIDDEN + "!"}), "malformed"),
        (document(cluster={"certificate-authority-data": data(b"junk")}), "kubeconfig .*config"),
        (document(cluster={"certificate-authority": "absent.crt"}), "No such file"),
        (document(user={"client-certificate-data": data(b"junk")}), "kubeconfig .*config"),
        (document(user={"auth-provider": {"name": "x"}}), "auth-provider not supported"),
    ],
)
def test_bad_file_is_refused_without_quoting_it(write, content, message):
    path = write(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_access(path, environ={})
    assert str(path) in str(caught.value)
    assert HIDDEN not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_user_may_be_null_or_absent(write):
    content = document("http://x")
    content["users"][0]["user"] = None
    assert load_access(write(content), environ={}).auth is None
    del content["users"], content["contexts"][0]["context"]["user"]
    assert load_access(write(content), environ={}).auth is None


def test_relative_names_are_relative_to_the_file(write, tmp_path, pair):
    (tmp_path / "sub").mkdir()
    for name, content in (("ca.crt", pair[0]), ("tls.crt", pair[0]), ("tls.key", pair[1])):
        (tmp_path / "sub" / name).write_bytes(content)
    (tmp_path / "sub" / "token").write_text(HIDDEN)
    user = {"client-certificate": "tls.crt", "client-key": "tls.key", "tokenFile": "token"}
    path = write(document(cluster={"certificate-authority": "ca.crt"}, user=user), "sub/config")
    access = load_access(path, environ={})
    assert len(tls(path).get_ca_certs()) == 1
    assert bearer(access) == f"Bearer {HIDDEN}"


def test_certificates_inside_the_file_need_no_other_file(write, pair):
    user = {"client-certificate-data": data(pair[0]), "client-key-data": data(pair[1])}
    path = write(document(cluster={"certificate-authority-data": data(pair[0])}, user=user))
    context = tls(path)
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_verification_can_be_switched_off(write):
    path = write(document(cluster={"insecure-skip-tls-verify": True}))
    assert tls(path).verify_mode is ssl.CERT_NONE


def test_plain_http_needs_no_certificates(write):
    assert load_access(write(document("http://127.0.0.1:1")), environ={}).tls is None
