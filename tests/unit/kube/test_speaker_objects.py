"""Nodes, EndpointSlices, Pods and Services as a speaker keeps them."""

import gc
import json
import sys
import tracemalloc
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest

from ferrolb.kube import (
    Cache,
    Change,
    EndpointIndex,
    EndpointSliceObject,
    ObjectKey,
    announced_service_from,
    decode_announced_service,
    decode_endpoint_slice,
    decode_l2_status,
    decode_node,
    decode_pod,
    decode_service,
    endpoints_from,
    node_from,
    service_from,
)
from ferrolb.model import BadAddress, Endpoints, Ingress, Node, NodeName, ServiceKey


def encode(content):
    return json.dumps(content).encode()


def slice_(name="web-1", *endpoints, service="web", version=1):
    labels = {} if service is None else {"kubernetes.io/service-name": service}
    metadata = {
        "name": name,
        "namespace": "shop",
        "labels": labels,
        "resourceVersion": str(version),
    }
    return decode_endpoint_slice(encode({"metadata": metadata, "endpoints": list(endpoints)}))


def endpoint(node=None, **conditions):
    return {"nodeName": node, "conditions": conditions, "addresses": ["10.0.0.1"]}


@pytest.mark.parametrize(
    ("conditions", "is_usable"),
    [
        ({"ready": True}, True),
        ({"ready": True, "serving": False}, True),
        ({"ready": True, "serving": True, "terminating": True}, True),
        ({}, True),
        ({"ready": None, "serving": False}, True),
        ({"serving": False}, True),
        ({"ready": False, "serving": True}, True),
        ({"ready": False, "serving": True, "terminating": True}, True),
        ({"ready": False, "serving": False}, False),
        ({"ready": False}, False),
        ({"ready": False, "serving": None, "terminating": True}, False),
    ],
)
def test_r04_an_endpoint_is_usable_when_ready_unsaid_or_serving(conditions, is_usable):
    decoded = slice_("web-1", endpoint("node-a", **conditions))
    assert decoded.has_usable is is_usable
    assert decoded.nodes == (("node-a",) if is_usable else ())


def test_conditions_that_are_null_say_nothing():
    decoded = slice_("web-1", {"nodeName": "node-a", "conditions": None}, {"addresses": []})
    assert (decoded.has_usable, decoded.nodes) == (True, ("node-a",))


@pytest.mark.parametrize("endpoints", [None, []])
def test_a_slice_without_endpoints_has_none(endpoints):
    decoded = decode_endpoint_slice(encode({"metadata": {"name": "a"}, "endpoints": endpoints}))
    assert (decoded.has_usable, decoded.nodes, decoded.key) == (False, (), None)


def test_an_endpoint_without_a_node_is_usable_nowhere_in_particular():
    assert endpoints_from([slice_("web-1", endpoint(ready=True))]) == Endpoints(has_usable=True)


def test_r05_slices_of_one_service_are_merged():
    merged = endpoints_from(
        [
            slice_("v4", endpoint("node-a", ready=True), endpoint("node-a", ready=True)),
            slice_("v6", endpoint("node-b", ready=False), endpoint("node-c", serving=True)),
        ]
    )
    assert merged == Endpoints(
        has_usable=True, nodes=frozenset((NodeName("node-a"), NodeName("node-c")))
    )
    assert endpoints_from([]) == Endpoints()


def test_the_names_of_nodes_are_shared():
    first = slice_("a", endpoint("node-with-a-name"))
    second = slice_("b", endpoint("node-with-a-name"))
    assert first.nodes[0] is second.nodes[0]


class Follower:
    def __init__(self):
        self.changed: list[ServiceKey] = []
        self.cache: Cache[EndpointSliceObject] = Cache()
        self.index = EndpointIndex(self.changed.append)
        self.cache.subscribe(self.index.on_change)

    def put(self, one):
        self.changed.clear()
        self.cache.put(one)
        return self.changed


WEB, MAIL = ServiceKey("shop", "web"), ServiceKey("shop", "mail")


def test_r05_the_index_tells_only_of_endpoints_that_differ():
    follower = Follower()
    a, b = endpoint("node-a"), endpoint("node-b")
    assert follower.put(slice_("v4", a)) == [WEB]
    # more pods on the same node, and the other family: the same nodes
    assert follower.put(slice_("v4", a, a, version=2)) == []
    assert follower.put(slice_("v6", a)) == []
    assert follower.put(slice_("v6", a, b, version=3)) == [WEB]
    assert follower.index.endpoints(WEB).nodes == {"node-a", "node-b"}
    follower.changed.clear()
    follower.cache.remove(ObjectKey("shop", "v4"), "4")
    assert follower.changed == []
    follower.cache.remove(ObjectKey("shop", "v6"), "5")
    assert follower.changed == [WEB]
    assert follower.index.endpoints(WEB) == Endpoints()


def test_a_slice_that_changes_its_service_concerns_both():
    follower = Follower()
    follower.put(slice_("one", endpoint("node-a")))
    assert follower.put(slice_("one", endpoint("node-a"), service="mail", version=2)) == [WEB, MAIL]
    assert follower.index.endpoints(WEB) == Endpoints()
    assert follower.put(slice_("one", endpoint("node-a"), service=None, version=3)) == [MAIL]
    assert follower.put(slice_("other", endpoint("node-b"), service=None)) == []


def test_a_slice_that_cannot_be_read_stays_as_it_was():
    follower = Follower()
    one = slice_("one", endpoint("node-a"))
    follower.put(one)
    follower.changed.clear()
    follower.cache.put_unreadable(ObjectKey("shop", "one"), "junk")
    assert follower.changed == []
    assert follower.index.endpoints(WEB).nodes == {"node-a"}


def test_an_index_that_came_late_takes_what_it_sees():
    index = EndpointIndex(lambda key: None)
    one = slice_("one", endpoint("node-a"))
    index.on_change(Change(key=ObjectKey("shop", "one"), old=one, new=None))
    assert index.endpoints(WEB) == Endpoints()


@pytest.mark.parametrize(
    ("conditions", "unavailable", "ready"),
    [
        (None, False, True),
        ([], False, True),
        ([{"type": "NetworkUnavailable", "status": "True"}], True, True),
        ([{"type": "NetworkUnavailable", "status": "Unknown"}], False, True),
        ([{"type": "NetworkUnavailable", "status": "False"}], False, True),
        ([{"type": "Ready", "status": "False"}], False, False),
        ([{"type": "Ready", "status": "Unknown"}], False, False),
        ([{"type": "Ready", "status": "True"}, {"type": "MemoryPressure"}], False, True),
    ],
)
def test_r23_a_node_says_whether_its_network_is_there(conditions, unavailable, ready):
    content = {
        "metadata": {"name": "node-a", "labels": {"zone": "1"}, "annotations": {"a": "b"}},
        "status": {"conditions": conditions, "images": [{"names": ["x"]}]},
    }
    assert node_from(decode_node(encode(content))) == Node(
        name=NodeName("node-a"),
        labels={"zone": "1"},
        is_network_unavailable=unavailable,
        is_ready=ready,
    )


def test_a_node_without_anything_is_an_ordinary_one():
    node = node_from(decode_node(encode({"metadata": {"name": "node-a"}})))
    assert node == Node(name=NodeName("node-a"))


def test_r32_what_does_not_matter_of_a_node_makes_no_difference():
    content = {"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {}, "status": {}}
    cordoned = {**content, "spec": {"unschedulable": True, "taints": [{"key": "k"}]}}
    assert node_from(decode_node(encode(content))) == node_from(decode_node(encode(cordoned)))


def test_a_pod_has_a_name_a_uid_labels_and_an_address_when_it_has_one():
    metadata = {"name": "p", "uid": "u", "labels": {"app": "speaker"}}
    pod = decode_pod(encode({"metadata": metadata, "status": {"podIP": "192.0.2.7"}}))
    assert (pod.metadata.name, pod.metadata.uid, pod.ip) == ("p", "u", "192.0.2.7")
    assert pod.metadata.labels == {"app": "speaker"}
    assert decode_pod(encode({"metadata": metadata, "status": {}})).ip == ""
    assert decode_pod(encode({"metadata": metadata})).ip == ""


SERVICE: dict[str, Any] = {
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "u",
        "resourceVersion": "7",
        "labels": {"app": "web"},
        "annotations": {
            "metallb.io/allow-shared-ip": "key",
            "metallb.universe.tf/allow-shared-ip": "older",
            "metallb.io/ip-allocated-from-pool": "gold",
            "other": "left out",
        },
    },
    "spec": {
        "type": "LoadBalancer",
        "loadBalancerClass": "special",
        "externalTrafficPolicy": "Local",
        "clusterIP": "10.96.0.1",
        "ports": [{"port": 80}],
    },
    "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}},
}


def test_a_service_is_the_same_as_the_controller_sees_it_but_for_allocation():
    slim = announced_service_from(decode_announced_service(encode(SERVICE)))
    full = service_from(decode_service(encode(SERVICE)))
    for name in (
        "key",
        "uid",
        "resource_version",
        "is_load_balancer",
        "load_balancer_class",
        "labels",
        "annotations",
        "is_local",
        "ingress",
        "allocated_from",
    ):
        assert getattr(slim, name) == getattr(full, name), name
    assert slim.ingress == (Ingress(ip=ip_address("192.0.2.1")),)
    assert slim.ports == ()


@pytest.mark.parametrize(
    ("status", "ingress"),
    [
        (None, ()),
        ({}, ()),
        ({"loadBalancer": {"ingress": None}}, ()),
        ({"loadBalancer": {"ingress": [{"hostname": "h"}]}}, (Ingress(hostname="h"),)),
        ({"loadBalancer": {"ingress": [{"ip": "junk"}]}}, (Ingress(ip=BadAddress("junk")),)),
    ],
)
def test_whatever_the_status_says_a_service_can_be_read(status, ingress):
    content = {"metadata": {"name": "web", "namespace": "shop"}, "status": status}
    service = announced_service_from(decode_announced_service(encode(content)))
    assert service.ingress == ingress
    assert (service.is_load_balancer, service.annotations, service.labels) == (False, {}, {})


@pytest.mark.parametrize(
    "decode",
    [decode_node, decode_endpoint_slice, decode_pod, decode_announced_service, decode_l2_status],
)
@pytest.mark.parametrize("data", [b"", b"[]", b'{"metadata":{"name":1}}', b'{"metadata":null}'])
def test_what_is_no_object_is_a_decode_error(decode, data):
    with pytest.raises(msgspec.DecodeError):
        decode(data)


def _bytes_each(decode, make, count=2000):
    """Return what a cache of `count` objects holds for each; its index included."""
    documents = [encode(make(number)) for number in range(count)]
    cache: Cache[Any] = Cache()
    if decode is decode_endpoint_slice:
        cache.subscribe(EndpointIndex(lambda key: None).on_change)
    gc.collect()
    tracer = sys.gettrace()
    sys.settrace(None)  # that of coverage allocates too
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for document in documents:
            cache.put(decode(document))
        gc.collect()
        return (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()
        sys.settrace(tracer)


def _big_slice(number):
    name = f"service-{number:05}"
    labels = {"kubernetes.io/service-name": name, "app": f"app-{number}", "more": "x" * 200}
    metadata = {"name": f"{name}-abcde", "namespace": "default", "labels": labels}
    endpoints = [endpoint(f"node-{node}", ready=True, serving=True) for node in range(3)]
    return {
        "metadata": {**metadata, "resourceVersion": str(10**6 + number)},
        "endpoints": endpoints,
    }


def _big_service(number):
    return {**SERVICE, "metadata": {**SERVICE["metadata"], "name": f"service-{number:05}"}}


def test_two_thousand_services_and_slices_cost_little():
    assert _bytes_each(decode_endpoint_slice, _big_slice) < 1000
    assert _bytes_each(decode_announced_service, _big_service) < 1500
