"""By which address clients reach a server."""

from ipaddress import IPv4Address

import pytest

from ferrolb.pki import endpoint_at

EVERYWHERE = str(IPv4Address(0))
TOKEN = "t" * 8


@pytest.mark.parametrize(
    ("host", "reached", "url"),
    [
        ("127.0.0.1", "127.0.0.1", "https://127.0.0.1:6443"),
        ("192.0.2.7", "192.0.2.7", "https://192.0.2.7:6443"),
        ("::1", "::1", "https://[::1]:6443"),
        ("localhost", "localhost", "https://localhost:6443"),
        (EVERYWHERE, "127.0.0.1", "https://127.0.0.1:6443"),
        ("::", "::1", "https://[::1]:6443"),
        ("", "127.0.0.1", "https://127.0.0.1:6443"),
    ],
)
def test_address_is_one_that_can_be_connected_to(host, reached, url):
    endpoint = endpoint_at(host, 6443, token=TOKEN, ca_pem="", kubeconfig=None)
    assert (endpoint.host, endpoint.port, endpoint.url) == (reached, 6443, url)
