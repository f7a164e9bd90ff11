import re
import subprocess
from ipaddress import ip_address

import pytest

from ferrolb.lab.machine import check_machine, tool_path, unshare_argv
from ferrolb.lab.proxy_rules import ProxyEndpoint, ProxyPort, ProxyService, proxy_rules
from ferrolb.lab.topology import plan

NODES = plan(3, ()).nodes
HERE = NODES[0]


def _endpoint(node, number, port=8080, family=4):
    text = f"10.244.{node}.{number}" if family == 4 else f"fd00:244:{node}::{number}"
    return ProxyEndpoint(ip_address(text), port, f"n{node}")


def _service(name="default/web", *, endpoints=(), protocol="TCP", port=80, **fields):
    given = {
        "internal": (ip_address("10.96.0.7"),),
        "external": (ip_address("192.168.100.5"),),
        **fields,
    }
    ports = (ProxyPort(protocol=protocol, port=port, endpoints=tuple(endpoints)),)
    return ProxyService(name=name, ports=ports, **given)


def _elements(text, name):
    """The elements of a map: address and port -> chain."""
    line = next(line for line in text.splitlines() if line.startswith(f" map {name} "))
    return dict(re.findall(r"(\S+ \. \w+ \. \d+) : goto (to-\d+)", line))


def _chain(text, name):
    return text.split(f" chain {name} {{")[1].split("\n }")[0]


def test_policy_cluster_reaches_every_endpoint_and_hides_the_client():
    text = proxy_rules([_service(endpoints=[_endpoint(1, 2), _endpoint(2, 2)])], HERE)
    chain = _chain(text, _elements(text, "arriving4")["192.168.100.5 . tcp . 80"])
    assert "meta mark set meta mark or 0x4000" in chain
    assert (
        "dnat ip to numgen random mod 2 map "
        "{ 0 : 10.244.1.2 . 8080, 1 : 10.244.2.2 . 8080 }" in chain
    )


def test_policy_local_reaches_the_nodes_own_endpoints_and_shows_the_client():
    service = _service(endpoints=[_endpoint(1, 2), _endpoint(2, 2)], is_local=True)
    text = proxy_rules([service], HERE)
    chain = _chain(text, _elements(text, "arriving4")["192.168.100.5 . tcp . 80"])
    assert "mark" not in chain
    assert "mod 1 map { 0 : 10.244.1.2 . 8080 }" in chain


def test_policy_local_without_an_endpoint_here_drops_what_arrives():
    service = _service(endpoints=[_endpoint(2, 2)], is_local=True)
    text = proxy_rules([service], HERE)
    assert "192.168.100.5 . tcp . 80" not in _elements(text, "arriving4")
    assert "set known4 { type ipv4_addr; elements = { 192.168.100.5 }; }" in text
    assert "ip daddr @known4 drop" in _chain(text, "refuse")
    # the node's own programs and the cluster address are not bound by the policy
    assert "192.168.100.5 . tcp . 80" in _elements(text, "leaving4")
    assert "10.96.0.7 . tcp . 80" in _elements(text, "arriving4")


def test_the_cluster_address_hides_nobody():
    text = proxy_rules([_service(endpoints=[_endpoint(2, 2)])], HERE)
    assert "mark" not in _chain(text, _elements(text, "arriving4")["10.96.0.7 . tcp . 80"])


def test_each_family_goes_to_endpoints_of_its_own():
    service = _service(
        endpoints=[_endpoint(1, 2), _endpoint(2, 2, family=6)],
        external=(ip_address("192.168.100.5"), ip_address("fd00:100::5")),
    )
    text = proxy_rules([service], HERE)
    four = _chain(text, _elements(text, "arriving4")["192.168.100.5 . tcp . 80"])
    six = _chain(text, _elements(text, "arriving6")["fd00:100::5 . tcp . 80"])
    assert "dnat ip to numgen random mod 1 map { 0 : 10.244.1.2 . 8080 }" in four
    assert "dnat ip6 to numgen random mod 1 map { 0 : fd00:244:2::2 . 8080 }" in six


def test_services_with_the_same_endpoints_share_their_chains():
    services = [
        _service(f"default/s{n}", endpoints=[_endpoint(1, 2)], external=(), port=n)
        for n in range(1, 100)
    ]
    text = proxy_rules(services, HERE)
    assert len(_elements(text, "arriving4")) == 99
    assert len(re.findall(r"chain to-\d+ ", text)) == 1


def test_an_unknown_protocol_and_a_service_without_endpoints_have_no_elements():
    services = [
        _service("default/sctp", endpoints=[_endpoint(1, 2)], protocol="SCTP"),
        _service("default/none", port=81),
    ]
    text = proxy_rules(services, HERE)
    assert _elements(text, "arriving4") == _elements(text, "leaving4") == {}


def test_of_two_services_on_one_port_the_first_by_name_has_it():
    services = [
        _service("default/b", endpoints=[_endpoint(2, 2)]),
        _service("default/a", endpoints=[_endpoint(1, 2)]),
    ]
    for order in (services, services[::-1]):
        text = proxy_rules(order, HERE)
        chain = _chain(text, _elements(text, "arriving4")["192.168.100.5 . tcp . 80"])
        assert "10.244.1.2" in chain


@pytest.mark.skipif(bool(check_machine()), reason="needs network namespaces and nft")
@pytest.mark.parametrize(
    "services",
    [
        [],
        [
            _service(
                endpoints=[_endpoint(1, 2), _endpoint(2, 2), _endpoint(1, 2, family=6)],
                external=(ip_address("192.168.100.5"), ip_address("fd00:100::5")),
            ),
            _service("default/dns", endpoints=[_endpoint(3, 2)], protocol="UDP", port=53),
            _service("default/local", endpoints=[_endpoint(1, 3)], port=81, is_local=True),
        ],
    ],
    ids=["none", "some"],
)
def test_nft_accepts_the_table_twice(services):
    text = proxy_rules(services, HERE)
    done = subprocess.run(
        [*unshare_argv(), "--net", "--", "nft", "-f", "-"],
        input=text + text,
        env={"PATH": tool_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
