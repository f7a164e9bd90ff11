import msgspec
import pytest

from ferrolb.lab.objects import PodObject, ServiceObject, decode_pod, decode_service, decode_slice
from ferrolb.lab.proxy import proxy_service
from ferrolb.lab.slices import is_selected, slices_of


def _pod(name, *, labels=None, ips=("10.244.1.2", "fd00:244:1::2"), ready="True", **meta):
    body = {
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": labels or {"app": "web"},
            **meta,
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {"name": "c", "ports": [{"name": "http", "containerPort": 8080}]},
            ],
        },
        "status": {
            "podIPs": [{"ip": ip} for ip in ips],
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }
    return decode_pod(msgspec.json.encode(body))


def _service(*, target=8080, selector=None, families=("IPv4", "IPv6"), **status):
    body = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "selector": {"app": "web"} if selector is None else selector,
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": target}],
            "clusterIPs": ["10.96.0.7", "None"],
            "ipFamilies": [*families],
        },
        "status": status,
    }
    return decode_service(msgspec.json.encode(body))


def _slices(service, *pods):
    return [decode_slice(msgspec.json.encode(body)) for body in slices_of(service, pods).values()]


def test_there_is_one_slice_a_family_with_the_pods_addresses_of_it():
    found = slices_of(_service(), [_pod("a"), _pod("b", ips=("10.244.1.3",))])
    assert list(found) == ["web-lab-ipv4", "web-lab-ipv6"]
    four, six = _slices(_service(), _pod("a"), _pod("b", ips=("10.244.1.3",)))
    assert [one.addresses for one in four.endpoints or ()] == [("10.244.1.2",), ("10.244.1.3",)]
    assert [one.addresses for one in six.endpoints or ()] == [("fd00:244:1::2",)]
    assert {one.node_name for one in four.endpoints or ()} == {"n1"}
    assert (four.metadata.labels or {})["kubernetes.io/service-name"] == "web"


def test_other_pods_are_left_out():
    others = [
        _pod("a", labels={"app": "other"}),
        _pod("b", ips=()),
        msgspec.structs.replace(
            _pod("c"), metadata=msgspec.structs.replace(_pod("c").metadata, namespace="elsewhere")
        ),
    ]
    four, _ = _slices(_service(), *others)
    assert not four.endpoints


def test_a_pod_that_is_not_ready_or_going_says_so():
    (four,) = _slices(
        _service(families=("IPv4",)),
        _pod("a", ready="False"),
        _pod("b", deletionTimestamp="2026-01-01T00:00:00Z"),
        _pod("c"),
    )
    conditions = [one.conditions for one in four.endpoints or ()]
    assert [one and one.ready for one in conditions] == [False, False, True]
    assert [one and one.terminating for one in conditions] == [False, True, False]


@pytest.mark.parametrize(("target", "port"), [(9090, 9090), ("http", 8080), (None, 80), ("x", 80)])
def test_the_target_port_is_a_number_or_a_containers_name(target, port):
    four, _ = _slices(_service(target=target), _pod("a"))
    assert [one.port for one in four.ports or ()] == [port]


def test_a_service_without_selector_is_left_to_others():
    assert slices_of(_service(selector={}), [_pod("a")]) == {}
    assert not is_selected({}, {"app": "web"})
    assert not is_selected(None, {"app": "web"})
    assert is_selected({"a": "1"}, {"a": "1", "b": "2"})
    assert not is_selected({"a": "1", "c": "3"}, {"a": "1", "b": "2"})


def test_the_proxy_sees_ready_endpoints_of_both_families_and_real_addresses_only():
    service = _service(loadBalancer={"ingress": [{"ip": "192.168.100.5"}, {"hostname": "x"}]})
    seen = proxy_service(service, _slices(service, _pod("a"), _pod("b", ready="False")))
    assert [str(ip) for ip in seen.internal] == ["10.96.0.7"]
    assert [str(ip) for ip in seen.external] == ["192.168.100.5"]
    (port,) = seen.ports
    assert [str(one.address) for one in port.endpoints] == ["10.244.1.2", "fd00:244:1::2"]
    assert {(one.port, one.node) for one in port.endpoints} == {(8080, "n1")}


def test_absent_fields_are_defaults():
    assert decode_pod(b"{}") == PodObject()
    assert decode_service(b"{}") == ServiceObject()
    assert not PodObject().is_ready
    assert slices_of(ServiceObject(), []) == {}
