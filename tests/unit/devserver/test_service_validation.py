"""What is refused in a Service, and in which words."""

from typing import Any

import pytest

from ferrolb.devserver.ip_validation import cidr_problem
from ferrolb.devserver.ranges import ServiceRanges
from ferrolb.devserver.services import prepare_service_create

LONG = "a" * 64


def errors(metadata: Any = None, /, **spec: Any) -> list[str]:
    obj: Any = {
        "metadata": {"name": "web", **(metadata or {})},
        "spec": {"ports": [{"port": 80}], **spec},
    }
    return [str(error) for error in prepare_service_create(obj, ServiceRanges()).errors]


def ports(*entries: Any) -> Any:
    return {"ports": [{"port": 80 + i, "name": f"p{i}"} | e for i, e in enumerate(entries)]}


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "NodePort"},
        {"ports": [{"port": 65535, "targetPort": "http"}]},
        {"ports": [], "clusterIP": "None"},
        {"ports": [], "type": "ExternalName", "externalName": "a.example."},
        {"sessionAffinity": "ClientIP"},
        {"externalIPs": ["192.0.2.1", "2001:db8::1"]},
        {"trafficDistribution": "PreferClose", "internalTrafficPolicy": "Local"},
        {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8 ", "2001:db8::/32"]},
        {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 30001},
        {"selector": {"app.kubernetes.io/name": "web", "empty": ""}},
        ports({"port": 53}, {"port": 53, "protocol": "UDP", "appProtocol": "example.com/dns"}),
    ],
)
def test_valid(spec):
    assert errors(**spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ports": []}, "spec.ports: Required value"),
        (
            {"ports": [{"port": 65536, "targetPort": 1}]},
            "spec.ports[0].port: Invalid value: 65536: must be between 1 and 65535, inclusive",
        ),
        (
            {"ports": [{"port": 0, "targetPort": 1}]},
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            {"ports": [{"port": 1, "targetPort": 70000}]},
            "spec.ports[0].targetPort: Invalid value: 70000: "
            "must be between 1 and 65535, inclusive",
        ),
        (ports({}, {"name": ""}), "spec.ports[1].name: Required value"),
        (ports({}, {"name": "p0"}), 'spec.ports[1].name: Duplicate value: "p0"'),
        (
            ports({}, {"port": 80}),
            'spec.ports[1]: Duplicate value: {"AppProtocol":null,"Name":"","NodePort":0,"Port":80,'
            '"Protocol":"TCP","TargetPort":0}',
        ),
        (
            ports({"protocol": "ICMP"}),
            'spec.ports[0].protocol: Unsupported value: "ICMP": '
            'supported values: "SCTP", "TCP", "UDP"',
        ),
        (
            ports({"nodePort": 30001}),
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        (
            {"type": "LoadBalancer", "clusterIP": "None"},
            'spec.clusterIPs[0]: Invalid value: "None": '
            "may not be set to 'None' for LoadBalancer services",
        ),
        (
            {"type": "NodePort", "clusterIP": "None"},
            'spec.clusterIPs[0]: Invalid value: "None": '
            "may not be set to 'None' for NodePort services",
        ),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        (
            {"type": "ExternalName", "externalName": "x", "ipFamilies": ["IPv4"]},
            "spec.ipFamilies: Forbidden: may not be set for ExternalName services",
        ),
        (
            {"type": "Balancer"},
            'spec.type: Unsupported value: "Balancer": supported values: '
            '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
        ),
        (
            {"sessionAffinity": "Cookie"},
            'spec.sessionAffinity: Unsupported value: "Cookie": '
            'supported values: "ClientIP", "None"',
        ),
        (
            {
                "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 86401}},
            },
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: "
            "must be greater than 0 and less than 86400",
        ),
        (
            {"externalIPs": ["1.2.3"]},
            'spec.externalIPs[0]: Invalid value: "1.2.3": '
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ),
        (
            {"externalIPs": ["192.0.2.1", "::"]},
            'spec.externalIPs[1]: Invalid value: "::": may not be unspecified (::)',
        ),
        (
            {"externalIPs": ["::1"]},
            'spec.externalIPs[0]: Invalid value: "::1": '
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (
            {"externalIPs": ["169.254.1.1"]},
            'spec.externalIPs[0]: Invalid value: "169.254.1.1": '
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        ),
        (
            {"externalIPs": ["224.0.0.5"]},
            'spec.externalIPs[0]: Invalid value: "224.0.0.5": '
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
        (
            {"loadBalancerSourceRanges": ["10.0.0.0/8"]},
            "spec.LoadBalancerSourceRanges: Forbidden: "
            "may only be used when `type` is 'LoadBalancer'",
        ),
        (
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/33"]},
            'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0/33": '
            "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        ),
        (
            {"allocateLoadBalancerNodePorts": False},
            "spec.allocateLoadBalancerNodePorts: Forbidden: "
            "may only be used when `type` is 'LoadBalancer'",
        ),
        (
            {"loadBalancerClass": "x.io/y"},
            "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
        ),
        (
            {"externalTrafficPolicy": "Local"},
            'spec.externalTrafficPolicy: Invalid value: "Local": '
            "may only be set for externally-accessible services",
        ),
        (
            {"type": "NodePort", "externalTrafficPolicy": "Near"},
            'spec.externalTrafficPolicy: Unsupported value: "Near": '
            'supported values: "Cluster", "Local"',
        ),
        (
            {"healthCheckNodePort": 30001},
            "spec.healthCheckNodePort: Invalid value: 30001: may only be set when `type` is "
            "'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ),
        (
            {"internalTrafficPolicy": "Near"},
            'spec.internalTrafficPolicy: Unsupported value: "Near": '
            'supported values: "Cluster", "Local"',
        ),
        (
            {"trafficDistribution": "Near"},
            'spec.trafficDistribution: Unsupported value: "Near": supported values: '
            '"PreferClose", "PreferSameZone", "PreferSameNode"',
        ),
        ({"selector": {"a": 1}}, "spec.selector.a: Invalid value: 1: must be a string"),
    ],
)
def test_refused(spec, expected):
    assert errors(**spec) == [expected]


@pytest.mark.parametrize(
    ("spec", "start"),
    [
        (ports({"name": "A"}), 'spec.ports[0].name: Invalid value: "A": a lowercase RFC 1123'),
        (
            ports({"appProtocol": "a b"}),
            'spec.ports[0].appProtocol: Invalid value: "a b": name part must consist',
        ),
        (
            {"type": "ExternalName", "externalName": "a_b"},
            'spec.externalName: Invalid value: "a_b": a lowercase RFC 1123 subdomain',
        ),
        (
            {"selector": {"a b": "c"}},
            'spec.selector: Invalid value: "a b": name part must consist',
        ),
        ({"selector": {"a": "!"}}, 'spec.selector: Invalid value: "!": a valid label must be'),
        (
            {"type": "LoadBalancer", "loadBalancerClass": "a b"},
            'spec.loadBalancerClass: Invalid value: "a b": name part must consist',
        ),
    ],
)
def test_refused_names(spec, start):
    [error] = errors(**spec)
    assert error.startswith(start)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a" * 16, ["must be no more than 15 characters"]),
        (
            "A",
            [
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "must contain at least one letter (a-z)",
            ],
        ),
        ("12", ["must contain at least one letter (a-z)"]),
        ("a--b", ["must not contain consecutive hyphens"]),
        ("-a", ["must not begin or end with a hyphen"]),
    ],
)
def test_named_target_port(name, expected):
    prefix = f'spec.ports[0].targetPort: Invalid value: "{name}": '
    assert errors(**ports({"targetPort": name})) == [prefix + problem for problem in expected]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("LoadBalancer", "10.0.0.0/8, 192.0.2.0/24", []),
        ("LoadBalancer", " ", []),
        (
            "LoadBalancer",
            "10.0.0.0/8,x",
            [
                'Invalid value: "10.0.0.0/8,x": must be a valid CIDR value, '
                "(e.g. 10.9.8.0/24 or 2001:db8::/64)"
            ],
        ),
        ("NodePort", "10.0.0.0/8", ["Forbidden: may only be used when `type` is 'LoadBalancer'"]),
    ],
)
def test_source_ranges_by_annotation(kind, value, expected):
    annotation = "service.beta.kubernetes.io/load-balancer-source-ranges"
    path = f"metadata.annotations[{annotation}]: "
    found = errors({"annotations": {annotation: value}}, type=kind)
    assert found == [path + text for text in expected]


@pytest.mark.parametrize(
    "text",
    ["10.0.0.0", "10.0.0.0/", "x/8", "10.0.0.0/-1", "10.0.0.0/33", "::/129", "10.0.0.0/\u0663"],
)
def test_what_is_no_prefix(text):
    assert cidr_problem(text)
