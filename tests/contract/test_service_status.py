"""The status of a Service: where it is written, what it may hold, and what wipes it."""

from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.services import Services, causes, warnings_of
from tests.fakes.devserver import Kubectl

NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
INGRESS = "status.loadBalancer.ingress[0]"
ASSIGNED = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}}


@pytest.fixture(scope="module")
def services(api: ApiServer) -> Services:
    return Services(api, api.new_namespace())


@pytest.fixture
def service(services: Services) -> Any:
    return services.made(type="LoadBalancer")


def _with(services: Services, service: Any, **entry: Any) -> Any:
    return services.report(service, loadBalancer={"ingress": [entry]})


def test_an_address_is_virtual_unless_said_otherwise(services: Services, service: Any) -> None:
    assert _with(services, service, ip="192.0.2.1").json()["status"] == ASSIGNED
    assert services.get(service["metadata"]["name"])["status"] == ASSIGNED


def test_an_address_may_be_a_proxys(services: Services, service: Any) -> None:
    answer = _with(services, service, ip="192.0.2.1", ipMode="Proxy")
    assert answer.json()["status"]["loadBalancer"]["ingress"][0]["ipMode"] == "Proxy"


def test_a_host_name_has_no_mode(services: Services, service: Any) -> None:
    answer = _with(services, service, hostname="a.example")
    assert answer.json()["status"]["loadBalancer"]["ingress"] == [{"hostname": "a.example"}]


def test_a_mode_without_address_is_refused(services: Services, service: Any) -> None:
    answer = _with(services, service, hostname="a.example", ipMode="VIP")
    text = "Forbidden: may not be specified when `ip` is not set"
    assert causes(answer) == [(f"{INGRESS}.ipMode", text)]


def test_an_unknown_mode_is_refused(services: Services, service: Any) -> None:
    answer = _with(services, service, ip="192.0.2.1", ipMode="Routed")
    text = 'Unsupported value: "Routed": supported values: "Proxy", "VIP"'
    assert causes(answer) == [(f"{INGRESS}.ipMode", text)]


def test_a_bad_address_is_refused(services: Services, service: Any) -> None:
    answer = _with(services, service, ip="192.0.2")
    assert causes(answer) == [(f"{INGRESS}.ip", f'Invalid value: "192.0.2": {NO_ADDRESS}')]


def test_an_address_with_leading_zeros_earns_a_warning(services: Services, service: Any) -> None:
    answer = _with(services, service, ip="192.0.2.010")
    text = (
        'status.loadBalancer.ingress[0]: non-standard IP address "192.0.2.010" will be considered '
        'invalid in a future Kubernetes release: use "192.0.2.10"'
    )
    assert (answer.status_code, warnings_of(answer)) == (200, [text])


def test_an_address_not_in_canonical_form_earns_a_warning(services: Services, service: Any) -> None:
    answer = _with(services, service, ip="2001:DB8::1")
    text = (
        'status.loadBalancer.ingress[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 '
        'canonical format ("2001:db8::1")'
    )
    assert (answer.status_code, warnings_of(answer)) == (200, [text])


def test_a_host_name_that_is_an_address_is_refused(services: Services, service: Any) -> None:
    answer = _with(services, service, hostname="192.0.2.1")
    text = 'Invalid value: "192.0.2.1": must be a DNS name, not an IP address'
    assert causes(answer) == [(f"{INGRESS}.hostname", text)]


def test_a_bad_host_name_is_refused(services: Services, service: Any) -> None:
    answer = _with(services, service, hostname="-a")
    ((field, message),) = causes(answer)
    assert field == f"{INGRESS}.hostname"
    assert message.startswith('Invalid value: "-a": a lowercase RFC 1123 subdomain must consist')


def test_only_a_load_balancer_has_addresses(services: Services) -> None:
    answer = _with(services, services.made(), ip="192.0.2.1")
    text = "Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
    assert causes(answer) == [("status.loadBalancer.ingress", text)]


def test_ports_of_an_address_are_kept(services: Services, service: Any) -> None:
    ports = [{"port": 80, "protocol": "TCP", "error": "example.com/NoRoom"}]
    answer = _with(services, service, ip="192.0.2.1", ports=ports)
    assert answer.json()["status"]["loadBalancer"]["ingress"][0]["ports"] == ports


def test_conditions_are_kept(services: Services, service: Any) -> None:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Assigned",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    answer = services.report(service, conditions=[condition])
    assert answer.json()["status"]["conditions"] == [condition]


def test_a_status_update_leaves_the_spec(services: Services, service: Any) -> None:
    name = service["metadata"]["name"]
    body = {**service, "spec": {**service["spec"], "type": "ClusterIP"}, "status": ASSIGNED}
    answer = services.api.http.put(services.path(name, "status"), json=body)
    assert answer.json()["status"] == ASSIGNED
    assert services.get(name)["spec"] == service["spec"]


def test_a_status_update_may_change_annotations(services: Services, service: Any) -> None:
    name = service["metadata"]["name"]
    metadata = {**service["metadata"], "annotations": {"a": "b"}}
    body = {**service, "metadata": metadata, "status": ASSIGNED}
    answer = services.api.http.put(services.path(name, "status"), json=body)
    assert answer.json()["metadata"]["annotations"] == {"a": "b"}


def test_a_creation_ignores_the_status(services: Services) -> None:
    body = {
        "metadata": {"name": "with-status"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        "status": ASSIGNED,
    }
    answer = services.api.http.post(services.path(), json=body)
    assert answer.json()["status"] == {"loadBalancer": {}}


def test_an_update_ignores_the_status(services: Services, service: Any) -> None:
    changed = {**service, "status": ASSIGNED}
    assert services.put(changed).json()["status"] == {"loadBalancer": {}}


def test_an_update_keeps_the_status(services: Services, service: Any) -> None:
    current = _with(services, service, ip="192.0.2.1").json()
    bare = {key: value for key, value in current.items() if key != "status"}
    assert services.put(bare, selector={"app": "a"}).json()["status"] == ASSIGNED


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_another_type_wipes_the_addresses(services: Services, service: Any, kind: str) -> None:
    _with(services, service, ip="192.0.2.1")
    assert services.patch(service, type=kind).json()["status"] == {"loadBalancer": {}}


def test_another_type_keeps_the_conditions(services: Services, service: Any) -> None:
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Assigned",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    services.report(service, conditions=[condition])
    answer = services.patch(service, type="ClusterIP")
    assert answer.json()["status"]["conditions"] == [condition]


def test_a_stale_status_update_conflicts(services: Services, service: Any) -> None:
    _with(services, service, ip="192.0.2.1")
    name = service["metadata"]["name"]
    answer = services.api.http.put(services.path(name, "status"), json=service)
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")


def test_the_status_subresource_is_read(services: Services, service: Any) -> None:
    _with(services, service, ip="192.0.2.1")
    name = service["metadata"]["name"]
    answer = services.api.http.get(services.path(name, "status"))
    assert (answer.json()["kind"], answer.json()["status"]) == ("Service", ASSIGNED)


def test_kubectl_patches_the_status(services: Services, service: Any, kubectl: Kubectl) -> None:
    name = service["metadata"]["name"]
    patch = '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}'
    words = ("patch", "service", name, "--subresource=status", "--type=merge", "-p", patch)
    kubectl("-n", services.namespace, *words)
    assert services.get(name)["status"] == ASSIGNED
