"""What becomes of a Service when it is created, updated, and its status written."""

from copy import deepcopy
from ipaddress import ip_network
from typing import Any

import pytest

from ferrolb.devserver.ranges import ServiceRanges
from ferrolb.devserver.services import (
    prepare_service_create,
    prepare_service_status,
    prepare_service_update,
)


def dual() -> ServiceRanges:
    return ServiceRanges([ip_network("10.96.0.0/24"), ip_network("fd00::/120")])


def single() -> ServiceRanges:
    return ServiceRanges([ip_network("10.96.0.0/24")])


def service(**spec: Any) -> Any:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec},
    }


def create(obj: Any, ranges: ServiceRanges | None = None) -> Any:
    """Create and store; the errors as texts when refused."""
    ranges = ranges or dual()
    before = deepcopy(obj)
    prepared = prepare_service_create(obj, ranges)
    assert obj == before, "the caller's object is left alone"
    if prepared.errors:
        return [str(error) for error in prepared.errors]
    ranges.replace(None, prepared.obj)
    return prepared.obj


def update(obj: Any, old: Any, ranges: ServiceRanges) -> Any:
    before = deepcopy((obj, old))
    prepared = prepare_service_update(obj, old, ranges)
    assert (obj, old) == before
    if prepared.errors:
        return [str(error) for error in prepared.errors]
    ranges.replace(old, prepared.obj)
    return prepared.obj


def spec(created: Any) -> Any:
    assert isinstance(created, dict), created
    return created["spec"]


def test_minimal_service_gets_what_kubernetes_gives_it():
    assert create(service()) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "selector": {"app": "web"},
            "type": "ClusterIP",
            "clusterIP": "10.96.0.17",
            "clusterIPs": ["10.96.0.17"],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        },
        "status": {"loadBalancer": {}},
    }


def test_load_balancer_gets_node_ports_and_policy():
    made = spec(create(service(type="LoadBalancer")))
    assert made["allocateLoadBalancerNodePorts"] is True
    assert made["externalTrafficPolicy"] == "Cluster"
    assert made["ports"][0]["nodePort"] == 30086
    assert "healthCheckNodePort" not in made


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "NodePort"}, {"externalTrafficPolicy": "Cluster"}),
        ({"externalIPs": ["192.0.2.1"]}, {"externalTrafficPolicy": "Cluster"}),
        ({"type": ""}, {"type": "ClusterIP"}),
        (
            {"sessionAffinity": "ClientIP"},
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
        ),
        (
            {
                "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}},
            },
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}},
        ),
        ({"sessionAffinityConfig": {"clientIP": {}}}, {"sessionAffinityConfig": None}),
        ({"externalTrafficPolicy": ""}, {"externalTrafficPolicy": None}),
        (
            {"ports": [{"port": 53, "targetPort": "dns", "protocol": "UDP", "nodePort": 0}]},
            {"ports": [{"port": 53, "targetPort": "dns", "protocol": "UDP"}]},
        ),
        ({"type": "LoadBalancer", "loadBalancerClass": "x.io/y"}, {"loadBalancerClass": "x.io/y"}),
    ],
)
def test_defaults(given, expected):
    made = spec(create(service(**given)))
    assert {field: made.get(field) for field in expected} == expected


def test_load_balancer_without_node_ports():
    made = spec(
        create(
            service(
                type="LoadBalancer",
                allocateLoadBalancerNodePorts=False,
                ports=[{"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": 30081}],
            )
        )
    )
    assert made["allocateLoadBalancerNodePorts"] is False
    assert [port.get("nodePort") for port in made["ports"]] == [None, 30081]


def test_local_load_balancer_gets_a_health_check_port():
    made = spec(create(service(type="LoadBalancer", externalTrafficPolicy="Local")))
    assert made["healthCheckNodePort"] == 30087
    assert made["ports"][0]["nodePort"] == 30086


def test_status_sent_with_a_new_service_is_dropped():
    obj = service() | {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    assert create(obj)["status"] == {"loadBalancer": {}}


def families(made: Any) -> Any:
    made = spec(made)
    return (
        made["ipFamilyPolicy"],
        made["ipFamilies"],
        [
            item if item == "None" else item.rpartition(":" if ":" in item else ".")[0]
            for item in made["clusterIPs"]
        ],
    )


V4, V6 = "10.96.0", "fd00:"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("SingleStack", ["IPv4"], [V4])),
        ({"ipFamilies": ["IPv6"]}, ("SingleStack", ["IPv6"], [V6])),
        (
            {"ipFamilyPolicy": "PreferDualStack"},
            ("PreferDualStack", ["IPv4", "IPv6"], [V4, V6]),
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]},
            ("RequireDualStack", ["IPv6", "IPv4"], [V6, V4]),
        ),
        ({"clusterIP": "fd00::9"}, ("SingleStack", ["IPv6"], [V6])),
        (
            {
                "clusterIP": "fd00::9",
                "clusterIPs": ["fd00::9", "10.96.0.9"],
                "ipFamilyPolicy": "PreferDualStack",
            },
            ("PreferDualStack", ["IPv6", "IPv4"], [V6, V4]),
        ),
        ({"clusterIP": "None"}, ("SingleStack", ["IPv4"], ["None"])),
        (
            {"clusterIP": "None", "ipFamilyPolicy": "PreferDualStack"},
            ("PreferDualStack", ["IPv4", "IPv6"], ["None"]),
        ),
        (
            {"clusterIP": "None", "selector": {}},
            ("RequireDualStack", ["IPv4", "IPv6"], ["None"]),
        ),
        (
            {"clusterIP": "None", "selector": {}, "ipFamilyPolicy": "SingleStack"},
            ("SingleStack", ["IPv4"], ["None"]),
        ),
    ],
)
def test_families_on_a_dual_stack_cluster(given, expected):
    assert families(create(service(**given))) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"ipFamilyPolicy": "PreferDualStack"}, ("PreferDualStack", ["IPv4"], [V4])),
        (
            {"clusterIP": "None", "selector": {}},
            ("RequireDualStack", ["IPv4", "IPv6"], ["None"]),
        ),
    ],
)
def test_families_on_a_single_stack_cluster(given, expected):
    assert families(create(service(**given), single())) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
            "this cluster is not configured for dual-stack services",
        ),
        (
            {"ipFamilies": ["IPv6"]},
            'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
        ),
        (
            {"clusterIP": "fd00::1"},
            'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: '
            "IPv6 is not configured on this cluster",
        ),
    ],
)
def test_family_that_the_cluster_lacks(given, expected):
    assert create(service(**given), single()) == [expected]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"ipFamilies": ["IPv4", "IPv6"]},
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or "
            "'PreferDualStack' when multiple IP families are specified",
        ),
        (
            {"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9", "fd00::9"]},
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or "
            "'PreferDualStack' when multiple cluster IPs are specified",
        ),
        (
            {"clusterIPs": ["10.96.0.9"]},
            'spec.clusterIPs: Invalid value: ["10.96.0.9"]: '
            "must be empty when `clusterIP` is not specified",
        ),
        (
            {"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.8"]},
            'spec.clusterIPs: Invalid value: ["10.96.0.8"]: first value must match `clusterIP`',
        ),
        (
            {"clusterIP": "10.96.0"},
            'spec.clusterIPs[0]: Invalid value: "10.96.0": '
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ),
        (
            {"clusterIP": "None", "clusterIPs": ["None", "10.96.0.9"]},
            'spec.clusterIPs: Invalid value: ["None","10.96.0.9"]: '
            "'None' must be the first and only value",
        ),
        (
            {
                "ipFamilyPolicy": "PreferDualStack",
                "clusterIP": "10.96.0.9",
                "clusterIPs": ["10.96.0.9", "10.96.0.8"],
            },
            'spec.clusterIPs: Invalid value: ["10.96.0.9","10.96.0.8"]: '
            "may specify no more than one IP for each IP family",
        ),
        (
            {"ipFamilies": ["IPv6"], "clusterIP": "10.96.0.9"},
            'spec.clusterIPs[0]: Invalid value: "10.96.0.9": '
            "expected an IPv6 value as indicated by `ipFamilies[0]`",
        ),
        (
            {"ipFamilies": ["IPv5"]},
            'spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"',
        ),
        (
            {"ipFamilies": ["IPv4", "IPv4"]},
            'spec.ipFamilies[1]: Duplicate value: "IPv4"',
        ),
        (
            {"ipFamilyPolicy": "Dual"},
            'spec.ipFamilyPolicy: Unsupported value: "Dual": supported values: '
            '"PreferDualStack", "RequireDualStack", "SingleStack"',
        ),
        (
            {"clusterIP": "10.97.0.1"},
            'spec.clusterIPs: Invalid value: ["10.97.0.1"]: failed to allocate IP 10.97.0.1: '
            "the provided network does not match the current range",
        ),
        (
            {
                "type": "NodePort",
                "ports": [
                    {"name": "a", "port": 80, "nodePort": 30001},
                    {"name": "b", "port": 81, "nodePort": 30001},
                ],
            },
            "spec.ports[1].nodePort: Invalid value: 30001: provided port is already allocated",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
            "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. "
            "The range of valid ports is 30000-32767",
        ),
        (
            {
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Local",
                "healthCheckNodePort": 80,
            },
            "spec.healthCheckNodePort: Internal error: failed to allocate requested HealthCheck "
            "NodePort 80: provided port is not in the valid range. "
            "The range of valid ports is 30000-32767",
        ),
        (
            {
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Local",
                "healthCheckNodePort": 30001,
                "ports": [{"port": 80, "nodePort": 30001}],
            },
            "spec.healthCheckNodePort: Internal error: failed to allocate requested HealthCheck "
            "NodePort 30001: provided port is already allocated",
        ),
    ],
)
def test_refused_allocation(given, expected):
    assert create(service(**given)) == [expected]


def test_three_cluster_ips_are_refused():
    addresses = ["10.96.0.9", "fd00::9", "10.96.0.8"]
    obj = service(clusterIP=addresses[0], clusterIPs=addresses, ipFamilyPolicy="PreferDualStack")
    assert any("may only hold up to 2 values" in error for error in create(obj))


def test_external_name_becomes_a_service_with_the_address_it_asks_for():
    ranges = dual()
    old = create(service(type="ExternalName", externalName="example.com"), ranges)
    made = update(service(clusterIP="10.96.0.9"), old, ranges)
    assert spec(made)["clusterIPs"] == ["10.96.0.9"]


def test_class_changed_while_leaving_load_balancer_is_refused():
    ranges = dual()
    old = create(service(type="LoadBalancer", loadBalancerClass="x.io/a"), ranges)
    assert update(service(loadBalancerClass="x.io/b"), old, ranges) == [
        "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'"
    ]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (
            {"clusterIP": "10.96.0.9"},
            {"clusterIP": "10.96.0.9"},
            'spec.clusterIPs: Invalid value: ["10.96.0.9"]: failed to allocate IP 10.96.0.9: '
            "provided IP is already allocated",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080, "protocol": "UDP"}]},
            "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
            {
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Local",
                "healthCheckNodePort": 30080,
            },
            "spec.healthCheckNodePort: Internal error: failed to allocate requested HealthCheck "
            "NodePort 30080: provided port is already allocated",
        ),
    ],
)
def test_what_another_service_holds_cannot_be_had(first, second, expected):
    ranges = dual()
    held = create(service(**first), ranges)
    assert create(service(**second), ranges) == [expected]
    ranges.replace(held, None)
    assert isinstance(create(service(**second), ranges), dict)


def test_preparing_takes_nothing():
    ranges = dual()
    obj = service(
        type="LoadBalancer", clusterIP="10.96.0.9", ports=[{"port": 1, "nodePort": 30001}]
    )
    assert prepare_service_create(obj, ranges).errors == ()
    assert prepare_service_create(obj, ranges).errors == ()


def test_exhausted_ranges_are_internal_errors():
    ranges = ServiceRanges([ip_network("10.0.0.0/30")], range(30000, 30002))
    create(service(type="NodePort"), ranges)
    local = service(type="LoadBalancer", externalTrafficPolicy="Local")
    assert create(local, ranges) == [
        "spec.healthCheckNodePort: Internal error: "
        "failed to allocate a HealthCheck NodePort 0: range is full"
    ]
    create(service(type="NodePort"), ranges)
    assert create(service(), ranges) == [
        "spec.clusterIPs: Internal error: failed to allocate a serviceIP: range is full"
    ]
    headful = ServiceRanges([ip_network("10.0.0.0/24")], range(30000, 30000))
    assert create(service(type="NodePort"), headful) == [
        "spec.ports[0].nodePort: Internal error: failed to allocate a nodePort: range is full"
    ]


def test_ports_of_one_number_share_a_node_port():
    ports = [
        {"name": "tcp", "port": 53},
        {"name": "udp", "port": 53, "protocol": "UDP", "nodePort": 30053},
        {"name": "metrics", "port": 9153},
        {"name": "metrics-udp", "port": 9153, "protocol": "UDP"},
    ]
    made = spec(create(service(type="NodePort", ports=ports)))
    assert [port["nodePort"] for port in made["ports"]] == [30053, 30053, 30086, 30086]


def test_external_name_gets_no_address():
    made = spec(create(service(type="ExternalName", externalName="example.com.")))
    assert not made.keys() & {
        "clusterIP",
        "clusterIPs",
        "ipFamilies",
        "ipFamilyPolicy",
        "internalTrafficPolicy",
    }


# --- updates


def test_sending_the_first_manifest_again_changes_nothing():
    ranges = dual()
    first = service(
        type="LoadBalancer", externalTrafficPolicy="Local", ipFamilyPolicy="PreferDualStack"
    )
    old = create(first, ranges)
    assert update(first, old, ranges) == old
    assert update(old, old, ranges) == old


def test_update_keeps_the_status():
    ranges = dual()
    old = create(service(type="LoadBalancer"), ranges)
    old["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}}
    sent = service(type="LoadBalancer") | {"status": {}}
    assert update(sent, old, ranges)["status"] == old["status"]


@pytest.mark.parametrize("kind", ["ClusterIP", "NodePort"])
def test_leaving_load_balancer_drops_what_belongs_to_it(kind):
    ranges = dual()
    old = create(
        service(type="LoadBalancer", externalTrafficPolicy="Local", loadBalancerClass="x.io/y"),
        ranges,
    )
    old["status"] = {
        "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]},
        "conditions": [{"type": "X"}],
    }
    changed = deepcopy(old)
    changed["spec"]["type"] = kind
    made = update(changed, old, ranges)
    assert made["status"] == {"loadBalancer": {}, "conditions": [{"type": "X"}]}
    assert not spec(made).keys() & {
        "allocateLoadBalancerNodePorts",
        "loadBalancerClass",
        "healthCheckNodePort",
    }
    assert ("nodePort" in spec(made)["ports"][0]) is (kind == "NodePort")
    assert spec(made).get("externalTrafficPolicy") == ("Local" if kind == "NodePort" else None)
    assert spec(made)["clusterIP"] == spec(old)["clusterIP"]
    again = create(service(type="NodePort", ports=[{"port": 1, "nodePort": 30087}]), ranges)
    assert isinstance(again, dict), "the health check port is free"


def test_new_node_port_while_leaving_node_port_is_refused():
    ranges = dual()
    old = create(service(type="NodePort"), ranges)
    changed = deepcopy(old)
    changed["spec"] |= {"type": "ClusterIP"}
    changed["spec"]["ports"][0]["nodePort"] = 30001
    assert update(changed, old, ranges) == [
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"
    ]


def test_cluster_ip_becomes_a_load_balancer():
    ranges = dual()
    old = create(service(), ranges)
    made = spec(update(service(type="LoadBalancer"), old, ranges))
    assert made["ports"][0]["nodePort"] == 30086
    assert made["clusterIP"] == spec(old)["clusterIP"]
    assert made["externalTrafficPolicy"] == "Cluster"


def test_external_name_and_back():
    ranges = dual()
    old = create(service(ipFamilyPolicy="PreferDualStack"), ranges)
    changed = deepcopy(old)
    changed["spec"] |= {"type": "ExternalName", "externalName": "example.com"}
    external = update(changed, old, ranges)
    assert not spec(external).keys() & {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}
    freed = create(service(clusterIP=spec(old)["clusterIP"]), ranges)
    assert isinstance(freed, dict)
    back = update(service(), external, ranges)
    assert families(back) == ("SingleStack", ["IPv4"], [V4])


def test_node_port_named_by_an_external_name_is_not_taken():
    ranges = dual()
    ports = [{"port": 80, "nodePort": 30080}]
    external = create(service(type="ExternalName", externalName="example.com", ports=ports), ranges)
    assert isinstance(create(service(type="NodePort", ports=ports), ranges), dict)
    changed = deepcopy(external)
    changed["spec"]["type"] = "NodePort"
    assert update(changed, external, ranges) == [
        "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"
    ]


def test_external_name_with_another_cluster_ip_is_refused():
    ranges = dual()
    old = create(service(), ranges)
    changed = deepcopy(old)
    changed["spec"] |= {
        "type": "ExternalName",
        "externalName": "example.com",
        "clusterIP": "10.96.0.99",
        "clusterIPs": ["10.96.0.99"],
    }
    assert update(changed, old, ranges) == [
        "spec.clusterIPs: Forbidden: may not be set for ExternalName services"
    ]


def test_node_ports_follow_the_name_of_the_port():
    ranges = dual()
    ports = [{"name": "a", "port": 1}, {"name": "b", "port": 2}]
    old = create(service(type="NodePort", ports=ports), ranges)
    was = {port["name"]: port["nodePort"] for port in spec(old)["ports"]}
    changed = [{"name": "b", "port": 22}, {"name": "c", "port": 3}]
    made = spec(update(service(type="NodePort", ports=changed), old, ranges))
    now = {port["name"]: port["nodePort"] for port in made["ports"]}
    assert now["b"] == was["b"]
    assert now["c"] not in was.values()
    assert ranges.ports.problem(was["a"]) is None, "no longer used, so free"


def test_node_port_moved_to_another_port_is_not_inherited_too():
    ranges = dual()
    ports: list[Any] = [{"name": "a", "port": 1}, {"name": "b", "port": 2}]
    old = create(service(type="NodePort", ports=ports), ranges)
    was = {port["name"]: port["nodePort"] for port in spec(old)["ports"]}
    ports[1]["nodePort"] = was["a"]
    made = spec(update(service(type="NodePort", ports=ports), old, ranges))
    now = {port["name"]: port["nodePort"] for port in made["ports"]}
    assert now["b"] == was["a"]
    assert now["a"] != was["a"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {},
            {"ipFamilyPolicy": "RequireDualStack"},
            ("RequireDualStack", ["IPv4", "IPv6"], [V4, V6]),
        ),
        (
            {},
            {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv4", "IPv6"]},
            ("PreferDualStack", ["IPv4", "IPv6"], [V4, V6]),
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            {"ipFamilyPolicy": "SingleStack"},
            ("SingleStack", ["IPv4"], [V4]),
        ),
        (
            {"ipFamilyPolicy": "PreferDualStack"},
            {"ipFamilyPolicy": "RequireDualStack"},
            ("RequireDualStack", ["IPv4", "IPv6"], [V4, V6]),
        ),
        (
            {"clusterIP": "None"},
            {"clusterIP": "None", "ipFamilyPolicy": "PreferDualStack"},
            ("PreferDualStack", ["IPv4", "IPv6"], ["None"]),
        ),
    ],
)
def test_change_of_families(before, after, expected):
    ranges = dual()
    old = create(service(**before), ranges)
    changed = deepcopy(old)
    changed["spec"] |= after
    made = update(changed, old, ranges)
    assert families(made) == expected
    if spec(old)["clusterIP"] != "None":
        assert spec(made)["clusterIP"] == spec(old)["clusterIP"]
    sent = update(service(**after), old, ranges)
    assert families(sent) == expected, "also without the fields that the server filled in"


def test_dropped_family_is_free_again():
    ranges = dual()
    old = create(service(ipFamilyPolicy="PreferDualStack"), ranges)
    update(service(ipFamilyPolicy="SingleStack"), old, ranges)
    second = spec(old)["clusterIPs"][1]
    assert isinstance(create(service(clusterIP=second), ranges), dict)


def test_prefer_dual_stack_survives_a_change_of_the_cluster():
    narrow = single()
    old = create(service(ipFamilyPolicy="PreferDualStack"), narrow)
    wide = dual()
    wide.replace(None, old)
    assert families(update(old, old, wide)) == ("PreferDualStack", ["IPv4"], [V4])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"clusterIP": "10.96.0.9"},
            {"clusterIP": "10.96.0.10"},
            ['spec.clusterIPs[0]: Invalid value: ["10.96.0.10"]: may not change once set'],
        ),
        (
            {"clusterIP": "10.96.0.9"},
            {"clusterIP": "None"},
            ['spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set'],
        ),
        (
            {"ipFamilies": ["IPv4"]},
            {"ipFamilies": ["IPv6"], "clusterIP": "fd00::9", "clusterIPs": ["fd00::9"]},
            [
                'spec.clusterIPs[0]: Invalid value: ["fd00::9"]: may not change once set',
                'spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set',
            ],
        ),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            {"ipFamilies": ["IPv4"]},
            [
                'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
                "must be 'SingleStack' to release the secondary IP family"
            ],
        ),
        (
            {
                "ipFamilyPolicy": "RequireDualStack",
                "clusterIP": "10.96.0.9",
                "clusterIPs": ["10.96.0.9", "fd00::9"],
            },
            {"clusterIPs": ["10.96.0.9"]},
            [
                'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
                "must be 'SingleStack' to release the secondary cluster IP"
            ],
        ),
        (
            {"type": "LoadBalancer", "loadBalancerClass": "x.io/a"},
            {"loadBalancerClass": "x.io/b"},
            ['spec.loadBalancerClass: Invalid value: "x.io/b": may not change once set'],
        ),
        (
            {"type": "LoadBalancer"},
            {"loadBalancerClass": "x.io/b"},
            ['spec.loadBalancerClass: Invalid value: "x.io/b": may not change once set'],
        ),
        (
            {"type": "LoadBalancer"},
            {"ports": [{"port": 0}]},
            [
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, "
                "inclusive",
            ],
        ),
    ],
)
def test_refused_update(before, after, expected):
    ranges = dual()
    old = create(service(**before), ranges)
    changed = deepcopy(old)
    changed["spec"] |= after
    assert update(changed, old, ranges) == expected


def test_class_may_come_with_the_type():
    ranges = dual()
    old = create(service(), ranges)
    made = update(service(type="LoadBalancer", loadBalancerClass="x.io/a"), old, ranges)
    assert spec(made)["loadBalancerClass"] == "x.io/a"


def test_local_to_cluster_frees_the_health_check_port():
    ranges = dual()
    old = create(service(type="LoadBalancer", externalTrafficPolicy="Local"), ranges)
    changed = deepcopy(old)
    changed["spec"]["externalTrafficPolicy"] = "Cluster"
    made = update(changed, old, ranges)
    assert "healthCheckNodePort" not in spec(made)
    assert ranges.ports.problem(spec(old)["healthCheckNodePort"]) is None
    back = update(service(type="LoadBalancer", externalTrafficPolicy="Local"), made, ranges)
    assert spec(back)["healthCheckNodePort"]


@pytest.mark.parametrize("operation", ["create", "update"])
@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ({"spec": []}, "spec: Invalid value: []: spec in body must be of type object"),
        (
            service(type=1),
            "spec.type: Invalid value: 1: spec.type in body must be of type string",
        ),
        (
            service(ports={}),
            "spec.ports: Invalid value: {}: spec.ports in body must be of type array",
        ),
        (
            service(ports=[1]),
            "spec.ports[0]: Invalid value: 1: spec.ports[0] in body must be of type object",
        ),
        (
            service(ports=[{"port": True}]),
            "spec.ports[0].port: Invalid value: true: "
            "spec.ports[0].port in body must be of type integer",
        ),
        (
            service(clusterIPs=[1]),
            "spec.clusterIPs[0]: Invalid value: 1: "
            "spec.clusterIPs[0] in body must be of type string",
        ),
    ],
)
def test_wrong_json_types_are_refused(operation, obj, expected):
    ranges = dual()
    made = create(obj) if operation == "create" else update(obj, create(service(), ranges), ranges)
    assert made == [expected]


def test_service_without_spec():
    assert create({"kind": "Service", "metadata": {"name": "web"}}) == [
        "spec.ports: Required value"
    ]


# --- status


def status(ingress: Any, kind: str = "LoadBalancer") -> Any:
    old = create(service(type=kind))
    sent = deepcopy(old)
    sent["status"] = {"loadBalancer": {"ingress": ingress}}
    sent["spec"] = {"type": "Nonsense"}
    sent["metadata"]["annotations"] = {"a": "b"}
    prepared = prepare_service_status(sent, old)
    assert sent["spec"] == {"type": "Nonsense"}, "the caller's object is left alone"
    if prepared.errors:
        return [str(error) for error in prepared.errors]
    assert prepared.obj["spec"] == old["spec"]
    assert prepared.obj["metadata"] == sent["metadata"]
    made: Any = prepared.obj["status"]
    return made["loadBalancer"]["ingress"]


@pytest.mark.parametrize(
    ("ingress", "expected"),
    [
        ([{"ip": "192.0.2.1"}], [{"ip": "192.0.2.1", "ipMode": "VIP"}]),
        (
            [{"ip": "2001:db8::1", "ipMode": "Proxy"}],
            [{"ip": "2001:db8::1", "ipMode": "Proxy"}],
        ),
        ([{"hostname": "lb.example.com"}], [{"hostname": "lb.example.com"}]),
        ([], []),
        (
            [{"ip": "192.0.2"}],
            [
                'status.loadBalancer.ingress[0].ip: Invalid value: "192.0.2": '
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            ],
        ),
        (
            [{"ip": 7}],
            ["status.loadBalancer.ingress[0].ip: Invalid value: 7: must be a string"],
        ),
        (
            [{"ip": "192.0.2.1", "ipMode": "X"}],
            [
                'status.loadBalancer.ingress[0].ipMode: Unsupported value: "X": '
                'supported values: "Proxy", "VIP"'
            ],
        ),
        (
            [{"hostname": "a", "ipMode": "VIP"}],
            [
                "status.loadBalancer.ingress[0].ipMode: Forbidden: "
                "may not be specified when `ip` is not set"
            ],
        ),
        (
            [{"hostname": "192.0.2.1"}],
            [
                'status.loadBalancer.ingress[0].hostname: Invalid value: "192.0.2.1": '
                "must be a DNS name, not an IP address"
            ],
        ),
        ([7], ["status.loadBalancer.ingress[0]: Invalid value: 7: must be an object"]),
        ({"a": 1}, ['status.loadBalancer.ingress: Invalid value: {"a":1}: must be a list']),
    ],
)
def test_load_balancer_status(ingress, expected):
    assert status(ingress) == expected


def test_bad_hostname_says_what_a_name_is():
    [error] = status([{"hostname": "_"}])
    assert error.startswith(
        'status.loadBalancer.ingress[0].hostname: Invalid value: "_": a lowercase RFC 1123'
    )
    assert len(status([{"hostname": 5}])) == 1


def test_ingress_of_another_type_is_refused():
    assert status([{"ip": "192.0.2.1"}], "NodePort") == [
        "status.loadBalancer.ingress: Forbidden: "
        "may only be used when `spec.type` is 'LoadBalancer'"
    ]
