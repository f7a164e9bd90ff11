"""Files of keys and tokens: what the programs read, what is kept."""

import csv
import stat
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ferrolb.envtest.credentials import prepare_credentials
from ferrolb.envtest.flags import (
    ACCOUNTS_KEY,
    PEOPLE,
    SERVER_CERT,
    SERVER_KEY,
    SERVICE_NAMES,
    SERVICE_RANGES,
)


def test_both_people_are_administrators_by_tokens_of_their_own(tmp_path):
    credentials = prepare_credentials(tmp_path, None, [])
    with (tmp_path / PEOPLE).open(encoding="ascii") as file:
        people = list(csv.reader(file))
    assert people == [
        [credentials.administrator, "kubernetes-admin", "kubernetes-admin", "system:masters"],
        [
            credentials.manager,
            "system:kube-controller-manager",
            "system:kube-controller-manager",
            "system:masters",
        ],
    ]
    assert credentials.administrator != credentials.manager
    assert min(len(credentials.administrator), len(credentials.manager)) >= 32


def test_every_file_is_its_owners_alone(tmp_path):
    prepare_credentials(tmp_path, tmp_path / "data", [])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {PEOPLE, SERVER_CERT, SERVER_KEY, ACCOUNTS_KEY} <= {path.name for path in files}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_certificate_covers_the_names_inside_a_cluster_and_those_asked_for(tmp_path):
    prepare_credentials(tmp_path, None, ["api.example", "192.0.2.7"])
    certificate = x509.load_pem_x509_certificate((tmp_path / SERVER_CERT).read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "kubernetes.default.svc", "api.example", SERVICE_NAMES[0]} <= set(
        names.get_values_for_type(x509.DNSName)
    )
    wanted = {"127.0.0.1", "::1", "192.0.2.7", *SERVICE_NAMES[1:]}
    assert {ip_address(one) for one in wanted} <= set(names.get_values_for_type(x509.IPAddress))
    key = serialization.load_pem_private_key((tmp_path / SERVER_KEY).read_bytes(), None)
    assert key.public_key() == certificate.public_key()


def test_service_names_are_the_first_address_of_each_range():
    firsts = [text.partition("/")[0] for text in SERVICE_RANGES.split(",")]
    assert [str(ip_address(first) + 1) for first in firsts] == list(SERVICE_NAMES[1:])


def test_key_of_the_accounts_has_the_form_that_the_api_server_reads(tmp_path):
    prepare_credentials(tmp_path, None, [])
    content = (tmp_path / ACCOUNTS_KEY).read_bytes()
    # of PKCS 8 it finds no public key
    assert content.startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    key = serialization.load_pem_private_key(content, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)


def test_data_directory_keeps_what_clients_hold(tmp_path):
    def prepared(name):
        folder = tmp_path / name
        folder.mkdir()
        return prepare_credentials(folder, tmp_path / "data", []), folder

    first, one = prepared("one")
    second, two = prepared("two")
    assert (second.administrator, second.ca_pem) == (first.administrator, first.ca_pem)
    assert (two / ACCOUNTS_KEY).read_bytes() == (one / ACCOUNTS_KEY).read_bytes()
    assert second.manager != first.manager


def test_nothing_is_the_same_again_without_a_data_directory(tmp_path):
    first, second = (prepare_credentials(tmp_path, None, []) for _ in range(2))
    assert second.administrator != first.administrator
    assert second.ca_pem != first.ca_pem
