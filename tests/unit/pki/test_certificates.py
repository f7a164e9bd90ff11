"""Certificates, token and kubeconfig: made, kept, renewed."""

import base64
import stat
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cryptography import x509

from ferrolb.devserver import Endpoint
from ferrolb.devserver.authentication import Authenticator, bearer_token, load_or_make_token
from ferrolb.pki import kubeconfig_text, write_kubeconfig
from ferrolb.pki.certificates import (
    CA_KEY_FILE,
    RENEW_BEFORE,
    SERVER_CERT_FILE,
    SERVER_LIFETIME,
    load_or_make_identity,
    server_context,
)

TOKEN = "t" * 8
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def identity(directory, *names, now=NOW):
    return load_or_make_identity(directory, names, now=now)


def names_of(pair):
    extension = pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    found = extension.value
    return {*found.get_values_for_type(x509.DNSName)} | {
        str(address) for address in found.get_values_for_type(x509.IPAddress)
    }


def test_certificate_names_loopback_and_what_is_asked_for(tmp_path):
    made = identity(None, "lab.example", "fd00::1")
    assert {"127.0.0.1", "::1", "localhost", "lab.example", "fd00::1"} <= names_of(made.server)
    made.server.certificate.verify_directly_issued_by(made.authority.certificate)
    server_context(made.server)


def test_kept_identity_is_used_again_and_private(tmp_path):
    first = identity(tmp_path, "a.example")
    again = identity(tmp_path, "a.example")
    assert again.ca_pem == first.ca_pem
    assert again.server.certificate == first.server.certificate
    assert stat.S_IMODE((tmp_path / CA_KEY_FILE).stat().st_mode) == 0o600


def test_further_name_renews_the_server_but_not_the_authority(tmp_path):
    first = identity(tmp_path)
    second = identity(tmp_path, "new.example")
    assert second.ca_pem == first.ca_pem
    assert "new.example" in names_of(second.server)


def test_server_certificate_is_renewed_before_its_end(tmp_path):
    first = identity(tmp_path)
    kept = identity(tmp_path, now=NOW + SERVER_LIFETIME - RENEW_BEFORE - timedelta(days=1))
    assert kept.server.certificate == first.server.certificate
    renewed = identity(tmp_path, now=NOW + SERVER_LIFETIME - RENEW_BEFORE + timedelta(days=1))
    assert renewed.server.certificate != first.server.certificate
    assert renewed.ca_pem == first.ca_pem


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_damaged_or_missing_file_is_made_again(tmp_path, damage):
    identity(tmp_path)
    path = tmp_path / SERVER_CERT_FILE
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    made = identity(tmp_path)
    made.server.certificate.verify_directly_issued_by(made.authority.certificate)


def test_new_authority_brings_a_new_server_certificate(tmp_path):
    first = identity(tmp_path)
    (tmp_path / CA_KEY_FILE).unlink()
    second = identity(tmp_path)
    assert second.ca_pem != first.ca_pem
    second.server.certificate.verify_directly_issued_by(second.authority.certificate)


def test_token_is_given_kept_or_made(tmp_path):
    assert load_or_make_token(tmp_path, "given") == "given"
    made = load_or_make_token(tmp_path, None)
    assert len(made) >= 32
    assert load_or_make_token(tmp_path, None) == made
    assert load_or_make_token(None, None) != made
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("header", "is_admitted"),
    [
        ("Bearer right", True),
        ("bearer right ", True),
        ("Bearer right more", True),
        ("Bearer  right", False),
        ("Bearer wrong", False),
        ("Bearer", False),
        ("Basic right", False),
        ("Bearer r\udcffght", False),
        ("", False),
        (None, False),
    ],
)
def test_who_is_admitted(header, is_admitted):
    token = bearer_token(header)
    assert (token is not None and Authenticator("right").is_known(token)) is is_admitted


def test_kubeconfig_is_complete_and_replaced_as_a_whole(tmp_path):
    path = tmp_path / "new" / "config"
    endpoint = Endpoint(
        url="https://127.0.0.1:1",
        host="127.0.0.1",
        port=1,
        token=TOKEN,
        ca_pem="PEM",
        kubeconfig=path,
    )
    write_kubeconfig(endpoint)
    config = yaml.safe_load(path.read_text())
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == "https://127.0.0.1:1"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"PEM"
    assert config["users"][0]["user"] == {"token": TOKEN}
    assert config["current-context"] == config["contexts"][0]["name"]
    assert path.read_text() == kubeconfig_text(endpoint)
    assert [entry.name for entry in path.parent.iterdir()] == ["config"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
