"""Services come, change and go at random: nothing is ever given twice, lost or leaked."""

from copy import deepcopy
from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ferrolb.devserver.ranges import ServiceRanges, claims_of
from ferrolb.devserver.services import prepare_service_create, prepare_service_update

NETWORKS = [ip_network("10.0.0.0/28"), ip_network("fd00::/124")]
NODE_PORTS = range(30000, 30008)
ADDRESSES = ["10.0.0.1", "10.0.0.2", "fd00::1", "None", "10.9.9.9"]

PORT: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"name": st.sampled_from("abc"), "port": st.integers(1, 3)},
    optional={
        "nodePort": st.sampled_from([30000, 30001, 30002]),
        "protocol": st.sampled_from(["TCP", "UDP"]),
    },
)
TYPE: st.SearchStrategy[Any] = st.sampled_from(
    ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
)
SPEC: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {
        "type": TYPE,
        "ports": st.lists(PORT, min_size=1, max_size=3, unique_by=lambda port: port["name"]),
        "externalName": st.just("example.com"),
    },
    optional={
        "clusterIP": st.sampled_from(ADDRESSES),
        "ipFamilies": st.sampled_from([["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"]]),
        "ipFamilyPolicy": st.sampled_from(["SingleStack", "PreferDualStack", "RequireDualStack"]),
        "externalTrafficPolicy": st.sampled_from(["Cluster", "Local"]),
        "healthCheckNodePort": st.sampled_from([30000, 30003]),
        "allocateLoadBalancerNodePorts": st.booleans(),
        "selector": st.just({"app": "web"}),
    },
)
STEPS = st.lists(
    st.tuples(st.sampled_from("pqrs"), st.sampled_from(["put", "patch", "delete"]), SPEC),
    max_size=12,
)


def step(stored: dict[str, Any], ranges: ServiceRanges, name: str, verb: str, spec: Any) -> None:
    old = stored.get(name)
    new: Any = None
    if verb != "delete":
        base: Any = old if old and verb == "patch" else {"metadata": {"name": name}, "spec": {}}
        obj = deepcopy(base)
        obj["spec"] |= deepcopy(spec)
        prepared = (
            prepare_service_update(obj, old, ranges) if old else prepare_service_create(obj, ranges)
        )
        if prepared.errors:
            return
        new = prepared.obj
    ranges.replace(old, new)
    stored.pop(name, None)
    if new:
        stored[name] = new


def taken(ranges: ServiceRanges) -> set[Any]:
    """Return everything that cannot be had."""
    hosts = {
        address
        for network in NETWORKS
        for address in (network[index] for index in range(1, 15))
        if any(
            held.problem(address)
            for held in ranges.addresses.values()
            if held.network.version == address.version
        )
    }
    return hosts | {port for port in NODE_PORTS if ranges.ports.problem(port)}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(STEPS)
def test_nothing_is_given_twice_lost_or_leaked(steps: list[Any]) -> None:
    ranges = ServiceRanges(NETWORKS, NODE_PORTS)
    stored: dict[str, Any] = {}
    for name, verb, spec in steps:
        step(stored, ranges, name, verb, spec)
        claims = [claims_of(service) for service in stored.values()]
        addresses = [address for claim in claims for address in claim.addresses]
        ports = [port for claim in claims for port in claim.ports]
        assert len(addresses) == len(set(addresses))
        assert len(ports) == len(set(ports))
        assert taken(ranges) == {*addresses, *ports}
        for service in stored.values():
            assert_whole(service["spec"])
            assert prepare_service_update(service, service, ranges).obj == service


def assert_whole(spec: Any) -> None:
    """Check that the parts of a stored Service agree."""
    families = spec.get("ipFamilies", [])
    addresses = spec.get("clusterIPs", [])
    if spec["type"] == "ExternalName":
        assert not addresses
        return
    assert spec["clusterIP"] == addresses[0]
    assert len(families) == (1 if spec["ipFamilyPolicy"] == "SingleStack" else 2)
    if addresses != ["None"]:
        assert [f"IPv{ip_address(address).version}" for address in addresses] == families
    has_node_ports = any("nodePort" in port for port in spec["ports"])
    assert not has_node_ports or spec["type"] in ("NodePort", "LoadBalancer")
    if spec["type"] == "NodePort":
        assert all("nodePort" in port for port in spec["ports"])
