"""Each field of the model's Service, and text that no well-meaning client would write."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrolb.kube.convert import allocated_from, service_from
from ferrolb.kube.objects import decode_service
from ferrolb.model import (
    Annotation,
    BadAddress,
    Ingress,
    IPFamilyPolicy,
    Port,
    Service,
    ServiceKey,
)


def convert(**parts: object) -> Service:
    return service_from(decode_service(json.dumps(parts).encode()))


def test_every_field_arrives() -> None:
    assert convert(
        metadata={
            "name": "web",
            "namespace": "shop",
            "uid": "u-1",
            "resourceVersion": "42",
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"app": "web"},
            "annotations": {
                "metallb.io/address-pool": "gold",
                "metallb.universe.tf/address-pool": "silver",
                "metallb.io/loadBalancerIPs": "192.0.2.1,2001:db8::1",
                "metallb.universe.tf/loadBalancerIPs": "a",
                "metallb.io/allow-shared-ip": "key",
                "metallb.universe.tf/allow-shared-ip": "b",
                "metallb.io/ip-allocated-from-pool": "gold",
                "metallb.universe.tf/ip-allocated-from-pool": "ignored",
                "foreign": "x",
            },
        },
        spec={
            "type": "LoadBalancer",
            "loadBalancerClass": "x/y",
            "loadBalancerIP": " 192.0.2.9",
            "clusterIP": "10.0.0.1",
            "clusterIPs": ["10.0.0.1", "fd00::1"],
            "ipFamilies": ["IPv4", "IPv6"],
            "ipFamilyPolicy": "PreferDualStack",
            "externalTrafficPolicy": "Local",
            "selector": {"b": "2", "a": "1"},
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 80}],
        },
        status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}},
    ) == Service(
        key=ServiceKey("shop", "web"),
        uid="u-1",
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        resource_version="42",
        is_load_balancer=True,
        load_balancer_class="x/y",
        labels={"app": "web"},
        annotations={
            "metallb.io/address-pool": "gold",
            "metallb.universe.tf/address-pool": "silver",
            "metallb.io/loadBalancerIPs": "192.0.2.1,2001:db8::1",
            "metallb.universe.tf/loadBalancerIPs": "a",
            "metallb.io/allow-shared-ip": "key",
            "metallb.universe.tf/allow-shared-ip": "b",
            "metallb.io/ip-allocated-from-pool": "gold",
        },
        load_balancer_ip=" 192.0.2.9",
        cluster_ips=(ip_address("10.0.0.1"), ip_address("fd00::1")),
        ip_families=("IPv4", "IPv6"),
        ip_family_policy=IPFamilyPolicy.PREFER_DUAL_STACK,
        is_local=True,
        selector=(("a", "1"), ("b", "2")),
        ports=(Port("UDP", 53), Port("TCP", 80)),
        ingress=(Ingress(ip=ip_address("192.0.2.1")),),
    )


def test_an_empty_object_is_a_service_without_anything() -> None:
    assert convert() == Service(key=ServiceKey("", ""), is_load_balancer=False)


def test_an_empty_annotation_is_not_an_absent_one() -> None:
    annotations = {"metallb.io/address-pool": "", "metallb.universe.tf/address-pool": "gold"}
    converted = convert(metadata={"annotations": annotations})
    assert converted.annotations == annotations
    assert converted.annotation(Annotation.ADDRESS_POOL) == ""


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort", "ExternalName", "", "loadbalancer"])
def test_only_the_exact_type_is_a_load_balancer(kind: str) -> None:
    assert not convert(spec={"type": kind}).is_load_balancer


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"clusterIP": "10.0.0.1"}, (ip_address("10.0.0.1"),)),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.2"]}, (ip_address("10.0.0.2"),)),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, ()),
        ({"clusterIP": "", "clusterIPs": [""]}, ()),
        ({"clusterIP": "bogus"}, (BadAddress("bogus"),)),
    ],
)
def test_cluster_ips_without_headless_and_empty_texts(spec: object, expected: object) -> None:
    assert convert(spec=spec).cluster_ips == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        ("yesterday", None),
        ("2026-01-02T03:04:05", None),
        ("2026-01-02T03:04:05+00:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.000006Z", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
    ],
)
def test_creation_time_is_aware_or_absent(text: str | None, expected: datetime | None) -> None:
    assert convert(metadata={"creationTimestamp": text}).created == expected


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("RequireDualStack", IPFamilyPolicy.REQUIRE_DUAL_STACK),
        ("SingleStack", IPFamilyPolicy.SINGLE_STACK),
        ("TripleStack", IPFamilyPolicy.SINGLE_STACK),
        (None, IPFamilyPolicy.SINGLE_STACK),
    ],
)
def test_family_policy_unknown_or_absent_is_single_stack(
    text: str | None, policy: IPFamilyPolicy
) -> None:
    assert convert(spec={"ipFamilyPolicy": text}).ip_family_policy is policy


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"hostname": "lb.example"}, Ingress(hostname="lb.example")),
        ({"ip": ""}, Ingress()),
        ({}, Ingress()),
        ({"ip": "bogus"}, Ingress(ip=BadAddress("bogus"))),
        ({"ip": "010.0.0.1"}, Ingress(ip=BadAddress("010.0.0.1"))),
        ({"ip": 5, "hostname": ["x"]}, Ingress()),
    ],
)
def test_ingress_entry(entry: object, expected: Ingress) -> None:
    status = {"loadBalancer": {"ingress": [entry]}}
    assert convert(status=status).ingress == (expected,)


@given(text=st.text(max_size=200))
def test_any_text_in_any_place_converts(text: str) -> None:
    converted = convert(
        metadata={
            "name": text,
            "creationTimestamp": text,
            "annotations": {"metallb.io/loadBalancerIPs": text},
        },
        spec={"loadBalancerIP": text, "clusterIPs": [text], "ipFamilyPolicy": text},
        status={"loadBalancer": {"ingress": [{"ip": text, "hostname": text}]}},
    )
    assert converted.load_balancer_ip == text
    assert converted.ingress[0].hostname == text


def test_allocated_from_reads_the_annotation() -> None:
    annotated = {"metadata": {"annotations": {"metallb.io/ip-allocated-from-pool": "gold"}}}
    assert allocated_from(decode_service(json.dumps(annotated).encode())) == "gold"
    assert allocated_from(decode_service(b"{}")) is None
