"""Services over their life: cluster IPs, changes of type, what is kept and what is cleared."""

import json
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.services import Services, causes, warnings_of
from tests.fakes.devserver import Kubectl

LOCAL = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}


@pytest.fixture
def services(api: ApiServer, namespace: str) -> Services:
    return Services(api, namespace)


def test_a_cluster_ip_in_use_is_refused_to_a_second_service(services: Services) -> None:
    held = services.made()["spec"]["clusterIP"]
    detail = f'Invalid value: ["{held}"]: failed to allocate IP {held}: '
    assert causes(services.create(clusterIP=held)) == [
        ("spec.clusterIPs", detail + "provided IP is already allocated")
    ]


def test_a_deleted_services_cluster_ip_is_free_again(services: Services) -> None:
    first = services.made()
    services.delete(first)
    address = first["spec"]["clusterIP"]
    assert services.made(clusterIP=address)["spec"]["clusterIP"] == address


def test_a_dry_run_takes_no_cluster_ip(services: Services) -> None:
    address = services.made()["spec"]["clusterIP"]
    services.delete(services.get("web-0"))
    body = {
        "metadata": {"name": "tried"},
        "spec": {"clusterIP": address, "ports": [{"port": 80}]},
    }
    answer = services.api.http.post(services.path(), params={"dryRun": "All"}, json=body)
    assert answer.status_code == 201
    assert services.made(clusterIP=address)["spec"]["clusterIP"] == address


def test_a_cluster_ip_is_immutable(services: Services) -> None:
    service = services.made()
    answer = services.patch(service, clusterIP="10.96.0.61", clusterIPs=["10.96.0.61"])
    assert answer.status_code == 422
    assert ("spec.clusterIPs[0]", _immutable(["10.96.0.61"])) in causes(answer)


def test_a_put_without_cluster_ips_keeps_them(services: Services) -> None:
    service = services.made()
    answer = services.put(service, clusterIP=None, clusterIPs=None)
    assert answer.status_code == 200
    assert answer.json()["spec"] == service["spec"]


def test_a_put_without_type_makes_it_a_cluster_ip(services: Services) -> None:
    service = services.made(type="NodePort")
    bare = [{"port": 80}]
    changed = services.put(service, type=None, externalTrafficPolicy=None, ports=bare).json()
    assert changed["spec"]["type"] == "ClusterIP"
    assert "nodePort" not in changed["spec"]["ports"][0]


def test_node_port_to_cluster_ip_drops_node_ports_and_policy(services: Services) -> None:
    service = services.made(type="NodePort")
    spec = services.patched(service, type="ClusterIP")
    assert "nodePort" not in spec["ports"][0]
    assert "externalTrafficPolicy" not in spec
    assert spec["clusterIP"] == service["spec"]["clusterIP"]


def test_load_balancer_to_node_port_keeps_the_node_ports(services: Services) -> None:
    service = services.made(type="LoadBalancer", loadBalancerClass="example.com/a")
    spec = services.patched(service, type="NodePort")
    assert spec["ports"] == service["spec"]["ports"]
    assert "allocateLoadBalancerNodePorts" not in spec
    assert "loadBalancerClass" not in spec


def test_load_balancer_to_cluster_ip_drops_what_only_it_has(services: Services) -> None:
    service = services.made(**LOCAL, loadBalancerClass="example.com/a")
    spec = services.patched(service, type="ClusterIP")
    gone = {
        "allocateLoadBalancerNodePorts",
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "loadBalancerClass",
    }
    assert gone & spec.keys() == set()
    assert "nodePort" not in spec["ports"][0]


def test_load_balancer_to_cluster_ip_keeps_the_load_balancer_ip(services: Services) -> None:
    service = services.made(type="LoadBalancer", loadBalancerIP="192.0.2.9")
    assert services.patched(service, type="ClusterIP")["loadBalancerIP"] == "192.0.2.9"


def test_source_ranges_have_to_go_with_the_type(services: Services) -> None:
    service = services.made(type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.0/24"])
    answer = services.patch(service, type="ClusterIP")
    forbidden = "Forbidden: may only be used when `type` is 'LoadBalancer'"
    assert causes(answer) == [("spec.LoadBalancerSourceRanges", forbidden)]


def test_cluster_ip_to_load_balancer_gets_its_defaults(services: Services) -> None:
    service = services.made()
    spec = services.patched(service, type="LoadBalancer")
    assert spec["allocateLoadBalancerNodePorts"] is True
    assert spec["externalTrafficPolicy"] == "Cluster"
    assert spec["ports"][0]["nodePort"] >= 30000
    assert spec["clusterIP"] == service["spec"]["clusterIP"]


def test_to_external_name_the_cluster_ip_goes(services: Services) -> None:
    service = services.made()
    address = service["spec"]["clusterIP"]
    spec = services.patched(service, type="ExternalName", externalName="a.example")
    gone = {"clusterIP", "clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy"}
    assert gone & spec.keys() == set()
    assert services.made(clusterIP=address)["spec"]["clusterIP"] == address


def test_from_external_name_a_cluster_ip_is_given(services: Services) -> None:
    service = services.made(type="ExternalName", externalName="a.example")
    spec = services.patched(service, type="ClusterIP", externalName=None)
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["ipFamilies"] == ["IPv4"]


def test_to_headless_is_refused(services: Services) -> None:
    service = services.made()
    answer = services.patch(service, clusterIP="None", clusterIPs=["None"])
    assert causes(answer) == [("spec.clusterIPs[0]", _immutable(["None"]))]


def test_headless_stays_headless(services: Services) -> None:
    service = services.made(clusterIP="None", selector={"app": "a"})
    answer = services.patch(service, clusterIP="10.96.0.62", clusterIPs=["10.96.0.62"])
    assert causes(answer) == [("spec.clusterIPs[0]", _immutable(["10.96.0.62"]))]


def test_headless_to_external_name(services: Services) -> None:
    service = services.made(clusterIP="None", selector={"app": "a"})
    spec = services.patched(service, type="ExternalName", externalName="a.example")
    assert "clusterIP" not in spec


def test_the_class_of_a_load_balancer_is_immutable(services: Services) -> None:
    service = services.made(type="LoadBalancer", loadBalancerClass="example.com/a")
    answer = services.patch(service, loadBalancerClass="example.com/b")
    text = 'Invalid value: "example.com/b": may not change once set'
    assert causes(answer) == [("spec.loadBalancerClass", text)]


def test_a_load_balancer_gets_no_class_later(services: Services) -> None:
    service = services.made(type="LoadBalancer")
    answer = services.patch(service, loadBalancerClass="example.com/b")
    text = 'Invalid value: "example.com/b": may not change once set'
    assert causes(answer) == [("spec.loadBalancerClass", text)]


def test_the_class_of_a_load_balancer_is_not_taken_away(services: Services) -> None:
    service = services.made(type="LoadBalancer", loadBalancerClass="example.com/a")
    answer = services.patch(service, loadBalancerClass=None)
    assert causes(answer) == [
        ("spec.loadBalancerClass", "Invalid value: null: may not change once set")
    ]


def test_a_class_is_chosen_with_the_change_to_load_balancer(services: Services) -> None:
    service = services.made()
    spec = services.patched(service, type="LoadBalancer", loadBalancerClass="example.com/a")
    assert spec["loadBalancerClass"] == "example.com/a"


def test_a_class_set_with_the_change_from_load_balancer_is_refused(services: Services) -> None:
    service = services.made(type="LoadBalancer", loadBalancerClass="example.com/a")
    answer = services.patch(service, type="ClusterIP", loadBalancerClass="example.com/b")
    forbidden = "Forbidden: may only be used when `type` is 'LoadBalancer'"
    assert ("spec.loadBalancerClass", forbidden) in causes(answer)


def test_a_name_that_is_no_dns_1035_label_is_refused_by_kubectl(
    kubectl: Kubectl, namespace: str
) -> None:
    text = kubectl.fails("-n", namespace, "create", "service", "clusterip", "1web", "--tcp=80")
    assert 'Service "1web" is invalid: metadata.name: Invalid value: "1web"' in text


def test_a_service_has_no_generation(services: Services) -> None:
    service = services.made()
    assert "generation" not in service["metadata"]


def test_a_warning_of_headless_affinity_comes_with_each_update(services: Services) -> None:
    service = services.made(clusterIP="None", selector={"app": "a"})
    answer = services.patch(service, sessionAffinity="ClientIP")
    assert warnings_of(answer) == ["spec.SessionAffinity is ignored for headless services"]


def test_kubectl_expose_makes_a_load_balancer(kubectl: Kubectl, namespace: str) -> None:
    kubectl("-n", namespace, "create", "deployment", "web", "--image=example/web")
    expose = ("expose", "deployment", "web", "--port=80", "--type=LoadBalancer")
    kubectl("-n", namespace, *expose)
    spec = kubectl.json("-n", namespace, "get", "service", "web")["spec"]
    assert spec["type"] == "LoadBalancer"
    assert spec["selector"] == {"app": "web"}


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "LoadBalancer"])
def test_kubectl_create_service(kubectl: Kubectl, namespace: str, kind: str) -> None:
    kubectl("-n", namespace, "create", "service", kind.lower(), "web", "--tcp=80:8080")
    spec = kubectl.json("-n", namespace, "get", "service", "web")["spec"]
    assert spec["type"] == kind
    assert (spec["ports"][0]["name"], spec["ports"][0]["targetPort"]) == ("80-8080", 8080)


def test_kubectl_columns_of_a_pending_and_an_assigned_load_balancer(
    services: Services, kubectl: Kubectl
) -> None:
    service = services.made("web", type="LoadBalancer")
    columns = ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    address = service["spec"]["clusterIP"]
    port = service["spec"]["ports"][0]["nodePort"]
    assert _table(kubectl, services)[0] == columns
    pending = ["web", "LoadBalancer", address, "<pending>", f"80:{port}/TCP"]
    assert _table(kubectl, services)[1][:5] == pending
    ingress = [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}]
    services.report(service, loadBalancer={"ingress": ingress})
    assert _table(kubectl, services)[1][3] == "192.0.2.1,192.0.2.2"


def test_kubectl_columns_of_other_services(services: Services, kubectl: Kubectl) -> None:
    services.made("a", type="ExternalName", externalName="a.example", ports=[])
    services.made("b", clusterIP="None")
    services.made("c", externalIPs=["192.0.2.7"])
    rows = [row[1:5] for row in _table(kubectl, services)[1:]]
    assert rows[0] == ["ExternalName", "<none>", "a.example", "<none>"]
    assert rows[1] == ["ClusterIP", "None", "<none>", "80/TCP"]
    assert rows[2][2] == "192.0.2.7"


def _table(kubectl: Kubectl, services: Services) -> list[list[str]]:
    printed = kubectl("-n", services.namespace, "get", "services")
    return [line.split() for line in printed.splitlines()]


def _immutable(value: Any) -> str:
    listed = json.dumps(value, separators=(",", ":"))
    return f"Invalid value: {listed}: may not change once set"
