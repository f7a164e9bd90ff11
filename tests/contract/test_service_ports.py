"""Node ports and the health check port of a Service: given, chosen, kept and freed.

Ports that a case chooses are of the low part of the range, from which servers give none by
themselves as long as there are others.
"""

from itertools import count
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.services import Services, causes

CHOSEN = count(30040)
LOCAL = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
TAKEN = "provided port is already allocated"


@pytest.fixture(scope="module")
def services(api: ApiServer) -> Services:
    return Services(api, api.new_namespace())


@pytest.fixture
def chosen() -> int:
    """A port that no other case uses."""
    return next(CHOSEN)


def _port(node_port: int, **more: Any) -> dict[str, Any]:
    return {"port": 80, "nodePort": node_port, **more}


def test_a_chosen_node_port_is_given(services: Services, chosen: int) -> None:
    spec = services.made(type="NodePort", ports=[_port(chosen)])["spec"]
    assert spec["ports"][0]["nodePort"] == chosen


def test_a_node_port_in_use_is_refused(services: Services, chosen: int) -> None:
    services.made(type="NodePort", ports=[_port(chosen)])
    answer = services.create(type="NodePort", ports=[_port(chosen)])
    text = f"Invalid value: {chosen}: {TAKEN}"
    assert causes(answer) == [("spec.ports[0].nodePort", text)]


def test_a_node_port_in_use_is_refused_for_another_protocol(
    services: Services, chosen: int
) -> None:
    services.made(type="NodePort", ports=[_port(chosen)])
    answer = services.create(type="NodePort", ports=[_port(chosen, protocol="UDP")])
    text = f"Invalid value: {chosen}: {TAKEN}"
    assert causes(answer) == [("spec.ports[0].nodePort", text)]


def test_a_deleted_services_node_port_is_free(services: Services, chosen: int) -> None:
    services.delete(services.made(type="NodePort", ports=[_port(chosen)]))
    services.made(type="NodePort", ports=[_port(chosen)])


def test_a_node_port_given_up_with_the_type_is_free(services: Services, chosen: int) -> None:
    service = services.made(type="NodePort", ports=[_port(chosen)])
    services.patched(service, type="ClusterIP")
    services.made(type="NodePort", ports=[_port(chosen)])


def test_a_node_port_is_changed(services: Services, chosen: int) -> None:
    service = services.made(type="NodePort")
    spec = services.patched(service, ports=[_port(chosen)])
    assert spec["ports"][0]["nodePort"] == chosen
    old = service["spec"]["ports"][0]["nodePort"]
    services.made(type="NodePort", ports=[_port(old)])


def test_a_node_port_is_not_changed_to_one_in_use(services: Services, chosen: int) -> None:
    services.made(type="NodePort", ports=[_port(chosen)])
    answer = services.patch(services.made(type="NodePort"), ports=[_port(chosen)])
    text = f"Invalid value: {chosen}: {TAKEN}"
    assert causes(answer) == [("spec.ports[0].nodePort", text)]


def test_a_put_without_node_ports_keeps_them(services: Services) -> None:
    service = services.made(type="NodePort")
    answer = services.put(service, ports=[{"port": 80}])
    assert answer.json()["spec"]["ports"] == service["spec"]["ports"]


def test_a_further_port_gets_a_node_port(services: Services) -> None:
    service = services.made(type="NodePort", ports=[{"port": 80, "name": "a"}])
    ports = [*service["spec"]["ports"], {"port": 81, "name": "b"}]
    spec = services.patched(service, ports=ports)
    first, second = (port["nodePort"] for port in spec["ports"])
    assert first == service["spec"]["ports"][0]["nodePort"]
    assert second >= 30000
    assert second != first


def test_a_port_taken_away_frees_its_node_port(services: Services, chosen: int) -> None:
    ports = [{"port": 80, "name": "a"}, _port(chosen, name="b", port=81)]
    service = services.made(type="NodePort", ports=ports)
    services.patched(service, ports=service["spec"]["ports"][:1])
    services.made(type="NodePort", ports=[_port(chosen)])


def test_two_protocols_share_a_chosen_node_port(services: Services, chosen: int) -> None:
    tcp = _port(chosen, name="tcp")
    udp = {"port": 80, "name": "udp", "protocol": "UDP"}
    spec = services.made(type="NodePort", ports=[tcp, udp])["spec"]
    assert [port["nodePort"] for port in spec["ports"]] == [chosen, chosen]


def test_a_refused_service_takes_no_node_port(services: Services, chosen: int) -> None:
    ports = [_port(chosen, name="a"), _port(80, name="b", port=81)]
    assert services.create(type="NodePort", ports=ports).status_code == 422
    services.made(type="NodePort", ports=[_port(chosen)])


def test_switching_allocation_off_keeps_node_ports(services: Services) -> None:
    service = services.made(type="LoadBalancer")
    spec = services.patched(service, allocateLoadBalancerNodePorts=False)
    assert spec["ports"] == service["spec"]["ports"]


def test_with_allocation_off_node_ports_can_be_given_up(services: Services, chosen: int) -> None:
    service = services.made(type="LoadBalancer", ports=[_port(chosen)])
    services.patched(service, allocateLoadBalancerNodePorts=False)
    spec = services.patched(service, ports=[_port(0)])
    assert "nodePort" not in spec["ports"][0]
    services.made(type="NodePort", ports=[_port(chosen)])


def test_switching_allocation_on_gives_node_ports(services: Services) -> None:
    service = services.made(type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert "nodePort" not in service["spec"]["ports"][0]
    spec = services.patched(service, allocateLoadBalancerNodePorts=True)
    assert spec["ports"][0]["nodePort"] >= 30000


def test_allocation_taken_away_becomes_the_default(services: Services) -> None:
    service = services.made(type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    spec = services.patched(service, allocateLoadBalancerNodePorts=None)
    assert spec["allocateLoadBalancerNodePorts"] is True
    assert spec["ports"][0]["nodePort"] >= 30000


def test_a_chosen_health_check_port_is_given(services: Services, chosen: int) -> None:
    spec = services.made(**LOCAL, healthCheckNodePort=chosen)["spec"]
    assert spec["healthCheckNodePort"] == chosen


def test_a_health_check_port_in_use_is_refused(services: Services, chosen: int) -> None:
    services.made(type="NodePort", ports=[_port(chosen)])
    answer = services.create(**LOCAL, healthCheckNodePort=chosen)
    text = f"failed to allocate requested HealthCheck NodePort {chosen}: {TAKEN}"
    assert (answer.status_code, causes(answer)) == (500, [(None, text)])
    assert answer.json()["message"] == f"Internal error occurred: {text}"


def test_a_health_check_port_is_immutable(services: Services, chosen: int) -> None:
    service = services.made(**LOCAL)
    answer = services.patch(service, healthCheckNodePort=chosen)
    text = "Forbidden: field is immutable"
    assert causes(answer) == [("spec.healthCheckNodePort", text)]


def test_a_put_without_health_check_port_keeps_it(services: Services) -> None:
    service = services.made(**LOCAL)
    answer = services.put(service, healthCheckNodePort=None)
    assert answer.json()["spec"] == service["spec"]


def test_policy_local_set_later_gets_a_health_check_port(services: Services) -> None:
    spec = services.patched(services.made(type="LoadBalancer"), externalTrafficPolicy="Local")
    assert spec["healthCheckNodePort"] >= 30000


def test_policy_cluster_frees_the_health_check_port(services: Services, chosen: int) -> None:
    service = services.made(**LOCAL, healthCheckNodePort=chosen)
    spec = services.patched(service, externalTrafficPolicy="Cluster")
    assert "healthCheckNodePort" not in spec
    services.made(type="NodePort", ports=[_port(chosen)])


def test_a_deleted_services_health_check_port_is_free(services: Services, chosen: int) -> None:
    services.delete(services.made(**LOCAL, healthCheckNodePort=chosen))
    services.made(type="NodePort", ports=[_port(chosen)])


def test_policy_local_of_a_node_port_needs_no_health_check(services: Services) -> None:
    spec = services.made(type="NodePort", externalTrafficPolicy="Local")["spec"]
    assert "healthCheckNodePort" not in spec
