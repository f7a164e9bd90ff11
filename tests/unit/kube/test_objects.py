"""What of an API server's JSON reaches us, and what is refused."""

import copy
import json
import tracemalloc
from typing import Any

import msgspec
import pytest

from ferrolb.kube.objects import (
    LoadBalancerStatus,
    ObjectMeta,
    ServiceAnnotations,
    ServiceObject,
    decode_namespace,
    decode_raw,
    decode_service,
)


def encode(obj: object) -> bytes:
    return json.dumps(obj).encode()


def service(**parts: object) -> ServiceObject:
    return decode_service(encode(parts))


@pytest.mark.parametrize(
    "obj",
    [
        {},
        {"metadata": {}, "spec": None, "status": None},
        {
            "metadata": {"labels": None, "annotations": None, "creationTimestamp": None},
            "spec": {
                "clusterIPs": None,
                "ipFamilies": None,
                "selector": None,
                "ports": None,
                "loadBalancerClass": None,
                "ipFamilyPolicy": None,
            },
            "status": {"loadBalancer": None},
        },
        {"status": {"loadBalancer": {"ingress": None}}},
    ],
)
def test_absent_and_null_parts_of_a_service_are_accepted(obj: dict[str, object]) -> None:
    assert service(**obj).ingress == ()


def test_service_keeps_only_the_annotations_that_concern_us() -> None:
    decoded = service(
        metadata={
            "annotations": {
                "metallb.io/address-pool": "gold",
                "metallb.universe.tf/allow-shared-ip": "",
                "kubectl.kubernetes.io/last-applied-configuration": "x" * 1000,
            }
        }
    )
    assert decoded.metadata.annotations == ServiceAnnotations(
        address_pool="gold", allow_shared_ip_legacy=""
    )


def test_ingress_entries_are_kept_whole_with_fields_we_do_not_know() -> None:
    entry = {
        "ip": "192.0.2.1",
        "ipMode": "Proxy",
        "ports": [{"port": 80, "protocol": "TCP", "error": "x"}],
        "laterField": {"a": [1]},
    }
    assert service(status={"loadBalancer": {"ingress": [entry]}}).ingress == (entry,)


def test_nonsense_inside_an_ingress_entry_does_not_hide_the_service() -> None:
    decoded = service(metadata={"name": "a"}, status={"loadBalancer": {"ingress": [{"ip": 5}]}})
    assert decoded.metadata.name == "a"
    assert decoded.ingress == ({"ip": 5},)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"metadata": {"name": 1}}',
        b'{"spec": {"ports": [{"port": "80"}]}}',
        b'{"metadata": {"labels": {"a": 1}}}',
        b'{"status": {"loadBalancer": {"ingress": ["192.0.2.1"]}}}',
    ],
)
def test_a_type_that_the_api_forbids_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_service(data)


def test_raw_slice_of_a_list_page_is_decoded_like_bytes() -> None:
    page = msgspec.json.decode(b'[{"metadata": {"name": "a"}}]', type=list[msgspec.Raw])
    assert decode_service(page[0]).metadata.name == "a"
    assert decode_namespace(page[0]).metadata.name == "a"
    assert decode_raw(page[0]).metadata.name == "a"


def test_namespace_has_name_and_labels() -> None:
    data = encode({"metadata": {"name": "a", "labels": {"k": "v"}}, "spec": {"finalizers": []}})
    assert decode_namespace(data).metadata == ObjectMeta(name="a", labels={"k": "v"})


def test_raw_object_keeps_everything_but_managed_fields() -> None:
    content: dict[str, Any] = {
        "apiVersion": "metallb.io/v1beta1",
        "metadata": {"name": "a", "uid": "u", "annotations": {"k": "v"}},
        "spec": {"addresses": [1, None, {"x": 1.5}]},
    }
    sent = copy.deepcopy(content)
    sent["metadata"]["managedFields"] = [{"manager": "m"}]
    decoded = decode_raw(encode(sent))
    assert decoded.content == content
    assert decoded.metadata == ObjectMeta(name="a", uid="u")


@pytest.mark.parametrize(
    "data",
    [b"[]", b"7", b'{"metadata": []}', b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    ids=["array", "number", "metadata", "deep"],
)
def test_raw_object_refuses_what_is_no_object_and_bottomless_nesting(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_raw(data)


def test_raw_object_without_metadata_has_empty_names() -> None:
    assert decode_raw(b"{}").metadata == ObjectMeta()


def test_structs_stay_out_of_the_garbage_collector() -> None:
    assert not LoadBalancerStatus.__struct_config__.gc
    assert not type(service()).__struct_config__.gc


def test_a_thousand_services_take_less_than_three_megabytes() -> None:
    documents = [encode(typical_service(number)) for number in range(1000)]
    tracemalloc.start()
    try:
        kept = [decode_service(document) for document in documents]
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == 1000
    assert size < 3_000_000


def typical_service(number: int) -> dict[str, object]:
    ip = f"10.0.{number // 250}.{number % 250}"
    return {
        "metadata": {
            "name": f"web-{number}",
            "namespace": f"team-{number % 50}",
            "uid": f"4f2c7a52-7c1c-4a5e-9d0d-{number:012}",
            "resourceVersion": str(number),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": f"web-{number}", "tier": "front"},
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "x" * 800,
                "metallb.io/ip-allocated-from-pool": "pool",
            },
            "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}] * 8,
        },
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": ip,
            "clusterIPs": [ip],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "externalTrafficPolicy": "Cluster",
            "selector": {"app": f"web-{number}"},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30000 + number}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": ip, "ipMode": "VIP"}]}},
    }
